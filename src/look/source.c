/* SPDX-License-Identifier: MIT */
#include "look/source.h"

int source_sample(const struct source *source, struct sample *ret_sample,
                  struct client_error *error)
{
    const struct client_request of_vm = {.target = "vm", .wanted = source->wanted};
    const struct client_request of_vcpus = {
        .target = "vcpu",
        .wanted = source->wanted,
        .paths = source->paths,
        .n_paths = source->n_paths,
    };
    const struct client_request of_others = {.target = CLIENT_OTHER_TARGETS,
                                             .wanted = source->wanted,
                                             .paths = source->objects,
                                             .n_paths = source->n_objects};
    bool any_vcpu = source->wants_vcpus && (!source->paths || source->n_paths);
    struct sample sample = {0};
    int err = client_read_status(source->client, error);

    if (!err && source->wants_vm)
        err = client_query(source->client, &of_vm, &sample.of_vm, error);
    if (!err && any_vcpu)
        err = client_query(source->client, &of_vcpus, &sample.of_vcpus, error);
    if (!err && source->wants_others)
        err = client_query(source->client, &of_others, &sample.of_others, error);
    sample.status = *client_status(source->client);
    if (err)
        sample_free(&sample);
    else
        *ret_sample = sample;
    return err;
}

void sample_free(struct sample *sample)
{
    client_snapshot_free(sample->of_vm);
    client_snapshot_free(sample->of_vcpus);
    client_snapshot_free(sample->of_others);
    *sample = (struct sample){0};
}
