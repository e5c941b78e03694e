/* SPDX-License-Identifier: MIT */
#include "qmp/task.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

static void swap_with_bench(struct qmp_task *task, struct qmp_workbench *bench)
{
    struct stats_collection collection = bench->collection;
    struct arena arena = bench->arena;

    bench->collection = task->collection;
    bench->arena = task->arena;
    task->collection = collection;
    task->arena = arena;
}

int qmp_task_start(struct qmp_call *call, struct json_object *message)
{
    struct qmp_workbench *bench = call->bench;
    struct qmp_task *task = malloc(sizeof(*task));

    if (!task)
        return -ENOMEM;
    *task = (struct qmp_task){
        .message = json_object_get(message),
        .command = call->command,
        .arguments = call->arguments,
        .arena = {.kept = bench->arena.kept},
        .collection = {.rows_max = bench->collection.rows_max},
    };
    call->session->task = task;
    qmp_task_pause(call);
    return 0;
}

struct qmp_call qmp_task_resume(struct qmp_session *session, struct qmp_workbench *bench,
                                struct buf *out)
{
    struct qmp_task *task = session->task;

    swap_with_bench(task, bench);
    return (struct qmp_call){.session = session,
                             .bench = bench,
                             .command = task->command,
                             .arguments = task->arguments,
                             .out = out,
                             .part_start = out->len,
                             .part_start_ns = clock_now_ns(),
                             .state = task->state,
                             .drop = task->drop};
}

void qmp_task_pause(struct qmp_call *call)
{
    struct qmp_task *task = call->session->task;

    task->go_on = call->go_on;
    task->state = call->state;
    task->drop = call->drop;
    task->waits = call->waits;
    task->asked_ns = call->asked_ns;
    task->is_at_gate = call->is_at_gate;
    swap_with_bench(task, call->bench);
}

void qmp_task_end(struct qmp_session *session)
{
    qmp_task_free(session->task);
    session->task = NULL;
}

void qmp_task_free(struct qmp_task *task)
{
    if (!task)
        return;
    if (task->drop)
        task->drop(task->state);
    json_object_put(task->message);
    arena_free(&task->arena);
    stats_collection_free(&task->collection);
    free(task);
}

size_t qmp_task_memory(const struct qmp_task *task)
{
    return task->message_memory + arena_memory(&task->arena) +
           stats_collection_memory(&task->collection);
}
