// Included before everything else in a core library: what the core prints is collected, not printed.
#ifndef REBOUND_PRINTF_H
#define REBOUND_PRINTF_H

#ifdef __cplusplus
extern "C" {
#endif
int rebound_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));
#ifdef __cplusplus
}
#endif

#define VL_PRINTF rebound_printf
#define VL_USER_FINISH
#define VL_USER_STOP
#define VL_USER_STOP_MAYBE
#define VL_USER_FATAL

#endif
