/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "bpf/iterator.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

enum { READ_SIZE = 1 << 16 }; /* the kernel gives at most 32 KiB at a time */

/* More than 0: there may be more. */
static ssize_t read_more(int fd, struct buf *buf)
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

int iterator_read(int link_fd, struct buf *buf)
{
    int fd = bpf_iter_create(link_fd);
    ssize_t n;

    if (fd < 0)
        return -errno;
    buf_reset(buf);
    do
        n = read_more(fd, buf);
    while (n > 0);
    close(fd);
    if (n < 0)
        buf_reset(buf);
    return (int)n;
}

static int link_process(struct iterator_one *one, const struct bpf_program *program, pid_t process)
{
    union bpf_iter_link_info info = {.task.pid = (__u32)process};
    LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));

    if (one->link && one->process == process)
        return 0;
    iterator_one_free(one);
    one->link = bpf_program__attach_iter(program, &options);
    one->process = process;
    return one->link ? 0 : -errno;
}

int iterator_read_one(struct iterator_one *one, const struct bpf_program *program, pid_t process,
                      struct buf *buf)
{
    int err = link_process(one, program, process);

    return err ? err : iterator_read(bpf_link__fd(one->link), buf);
}

void iterator_one_free(struct iterator_one *one)
{
    bpf_link__destroy(one->link);
    *one = (struct iterator_one){0};
}

void iterator_silence(void)
{
    libbpf_set_print(NULL);
}
