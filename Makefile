# csock: see `make help`.
LUA     ?= lua5.4
CC      ?= cc
BUILD   ?= build
LUA_CFLAGS := $(shell pkg-config --cflags lua5.4 2>/dev/null || echo -I/usr/include/lua5.4)
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS  ?= -O2 -g
ALL_CFLAGS = -std=c11 -fPIC -pthread -fvisibility=hidden $(WARN) $(LUA_CFLAGS) $(CFLAGS)

CORE_SRC := $(wildcard csrc/sys/*.c csrc/bind/*.c)
CORE_OBJ := $(CORE_SRC:csrc/%.c=$(BUILD)/obj/%.o)

all: $(BUILD)/csock/core.so

$(BUILD)/csock/core.so: $(CORE_OBJ)
	@mkdir -p $(@D)
	$(CC) -shared -pthread $(LDFLAGS) -o $@ $(CORE_OBJ) -lm

$(BUILD)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(CORE_OBJ:.o=.d)

clean:
	rm -rf $(BUILD)

.PHONY: all clean
