/* SPDX-License-Identifier: MIT */
#include "host/slow_processes.h"

void slow_processes_add(struct slow_processes *processes, const struct slow_process *process)
{
    processes->all[processes->next] = *process;
    processes->next = (processes->next + 1) % SLOW_PROCESSES_MAX;
}

bool slow_processes_have(const struct slow_processes *processes, const struct slow_process *process,
                         uint64_t now_ns)
{
    unsigned n_of_user = 0;

    if (processes->all[processes->next].until_ns > now_ns)
        return true;
    for (unsigned i = 0; i < SLOW_PROCESSES_MAX; i++) {
        const struct slow_process *other = &processes->all[i];

        if (other->until_ns <= now_ns)
            continue;
        if (other->pid == process->pid && other->start == process->start)
            return true;
        n_of_user += other->uid == process->uid;
    }
    return n_of_user >= SLOW_PROCESSES_OF_USER;
}
