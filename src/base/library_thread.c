/* SPDX-License-Identifier: MIT */
#include "base/library_thread.h"

#include <signal.h>

int library_thread_create(pthread_t *ret_thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *opaque)
{
    sigset_t all, old;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* the thread inherits it */
    err = pthread_create(ret_thread, attr, run, opaque);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return err;
}
