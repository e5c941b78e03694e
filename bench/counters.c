/* SPDX-License-Identifier: MIT */
/*
 * What it costs to count: the library's counters and histograms beside a bare atomic addition, by one
 * thread and by one on each CPU, which all count the same thing.
 *
 *      counters [ADDITIONS]
 *
 * Prints lines "NAME VALUE": nanoseconds of one addition, of each thread.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <vitals/vitals.h>

enum { ADDITIONS = 20 * 1000 * 1000, THREADS_MAX = 64 };

static struct {
    _Alignas(64) atomic_ulong bare;
    _Alignas(64) struct vitals_counter *counter;
    struct vitals_histogram *histogram;
} shared;

static long additions = ADDITIONS;
static pthread_barrier_t together;

static void count_bare(void)
{
    for (long i = 0; i < additions; i++)
        atomic_fetch_add_explicit(&shared.bare, 1, memory_order_relaxed);
}

static void count_counter(void)
{
    for (long i = 0; i < additions; i++)
        vitals_counter_add(shared.counter, 1);
}

static void count_histogram(void)
{
    for (long i = 0; i < additions; i++)
        vitals_histogram_observe(shared.histogram, (uint64_t)i);
}

struct worker {
    pthread_t thread;
    void (*count)(void);
    int cpu;
    double ns;
};

/* On its CPU's own clock: others use this machine, too. */
static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *work(void *opaque)
{
    struct worker *worker = opaque;
    cpu_set_t set;
    double begin;

    CPU_ZERO(&set);
    CPU_SET((size_t)worker->cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
    pthread_barrier_wait(&together);
    begin = cpu_ns();
    worker->count();
    worker->ns = (cpu_ns() - begin) / (double)additions;
    return NULL;
}

static void measure(const char *name, void (*count)(void), int n_threads)
{
    struct worker workers[THREADS_MAX];
    double ns = 0;

    pthread_barrier_init(&together, NULL, (unsigned)n_threads);
    for (int i = 0; i < n_threads; i++) {
        workers[i] = (struct worker){.count = count, .cpu = i};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
            abort();
    }
    for (int i = 0; i < n_threads; i++) {
        pthread_join(workers[i].thread, NULL);
        ns += workers[i].ns / n_threads;
    }
    pthread_barrier_destroy(&together);
    printf("%s_%d_threads_ns %.2f\n", name, n_threads, ns);
}

static void measure_all(int n_threads)
{
    measure("bare_atomic", count_bare, n_threads);
    measure("counter_add", count_counter, n_threads);
    measure("histogram_observe", count_histogram, n_threads);
}

int main(int argc, char **argv)
{
    const struct vitals_stat stat = {.name = "times", .type = VITALS_LOG_HIST, .count = 32};
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct vitals_counters *counters = NULL;
    struct vitals_ctx *ctx = NULL;
    int err;

    if (argc > 1)
        additions = atol(argv[1]);
    err = vitals_ctx_new(NULL, &ctx);
    if (!err && !(err = vitals_counters_new(ctx, "bench", "vm", &counters)) &&
        !(err = vitals_counter_new(counters, NULL, "events", NULL, &shared.counter)))
        err = vitals_histogram_new(counters, NULL, &stat, sizeof(stat), &shared.histogram);
    if (!err) {
        measure_all(1);
        if (cpus > 1)
            measure_all(cpus < THREADS_MAX ? (int)cpus : THREADS_MAX);
    }
    vitals_counters_free(counters);
    vitals_ctx_free(ctx);
    return err != 0;
}
