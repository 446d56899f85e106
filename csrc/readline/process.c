/* process.c: what there is once in a process, as its terminal is. */
#include "readline.h"

line_process process;
