/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bpf/iterator.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

enum { READ_SIZE = 1 << 16 }; /* the kernel gives at most 32 KiB at a time */

/* More than 0: there may be more. */
static ssize_t read_some(int fd, struct buf *buf)
{
    ssize_t n;

    if (buf->len > PASS_SIZE_MAX)
        return -E2BIG;
    if (!buf_reserve(buf, READ_SIZE))
        return -ENOMEM;
    n = read(fd, buf->data + buf->len, READ_SIZE);
    if (n > 0)
        buf->len += (size_t)n;
    else if (n < 0 && (errno == EINTR || errno == EAGAIN)) /* it has walked far and found nothing */
        return 1;
    return n < 0 ? -errno : n;
}

int iterator_begin(struct iterator *iterator, int link_fd)
{
    iterator_end(iterator);
    buf_reset(&iterator->records);
    iterator->fd = bpf_iter_create(link_fd);
    iterator->is_open = iterator->fd >= 0;
    return iterator->is_open ? 0 : -errno;
}

int iterator_more(struct iterator *iterator)
{
    ssize_t n = iterator->is_open ? read_some(iterator->fd, &iterator->records) : -EBADF;

    if (n > 0)
        return 1;
    iterator_end(iterator);
    if (n < 0)
        buf_reset(&iterator->records);
    return (int)n;
}

void iterator_end(struct iterator *iterator)
{
    if (iterator->is_open)
        close(iterator->fd);
    iterator->is_open = false;
}

void iterator_free(struct iterator *iterator)
{
    iterator_end(iterator);
    buf_free(&iterator->records);
}

int iterator_read(struct iterator *iterator, int link_fd)
{
    int err = iterator_begin(iterator, link_fd);

    if (err)
        return err;
    do
        err = iterator_more(iterator);
    while (err > 0);
    return err;
}

static void unlink_process(struct iterator_one *one)
{
    bpf_link__destroy(one->link);
    one->link = NULL;
}

static int link_process(struct iterator_one *one, const struct bpf_program *program, pid_t process)
{
    union bpf_iter_link_info info = {.task.pid = (__u32)process};
    LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));

    if (one->link && one->process == process)
        return 0;
    unlink_process(one);
    one->link = bpf_program__attach_iter(program, &options);
    one->process = process;
    return one->link ? 0 : -errno;
}

int iterator_read_one(struct iterator_one *one, const struct bpf_program *program, pid_t process)
{
    int err = link_process(one, program, process);

    return err ? err : iterator_read(&one->pass, bpf_link__fd(one->link));
}

void iterator_one_free(struct iterator_one *one)
{
    unlink_process(one);
    iterator_free(&one->pass);
}

void iterator_silence(void)
{
    libbpf_set_print(NULL);
}
