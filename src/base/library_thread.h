/* SPDX-License-Identifier: MIT */
/* Threads that take no signals: those of the library, in a program that is not its own, and of a watch. */
#ifndef BASE_LIBRARY_THREAD_H
#define BASE_LIBRARY_THREAD_H

#include <pthread.h>

/* As pthread_create(). All signals are blocked in it: they are the program's. */
int library_thread_create(pthread_t *ret_thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *opaque);

#endif
