/* atomic.h: what is used of <stdatomic.h>. C++ has it in another header, whose functions would be
   seen among those of the library. */
#ifndef CS_ATOMIC_H
#define CS_ATOMIC_H

#include "port.h"

#ifndef __cplusplus
#include <stdatomic.h>
#else
typedef int atomic_int;
typedef uintptr_t atomic_uintptr_t;
#define atomic_load(at)             __atomic_load_n(at, __ATOMIC_SEQ_CST)
#define atomic_store(at, value)     __atomic_store_n(at, value, __ATOMIC_SEQ_CST)
#define atomic_fetch_add(at, value) __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST)
#define atomic_fetch_sub(at, value) __atomic_fetch_sub(at, value, __ATOMIC_SEQ_CST)
#define atomic_exchange(at, value)  __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST)
#define atomic_compare_exchange_weak(at, seen, value) \
  __atomic_compare_exchange_n(at, seen, value, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#endif

#endif
