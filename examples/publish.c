/* SPDX-License-Identifier: MIT */
/*
 * A VM that is registered with the daemon of the host, so that `vitals top` shows it by its name: one
 * call. The VM does nothing, and is there until the input ends.
 *
 *      ./publish NAME [REGISTER.SOCK]
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include <vitals/vitals.h>

static void say(void *opaque, enum vitals_log_level level, const char *text)
{
    (void)opaque;
    (void)level;
    fprintf(stderr, "publish: %s\n", text);
}

static int fail(struct vitals_ctx *ctx)
{
    char text[512];

    vitals_error_text(ctx, text, sizeof(text));
    fprintf(stderr, "publish: %s\n", text);
    return 1;
}

int main(int argc, char **argv)
{
    struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .log = say};
    struct vitals_publish_options daemon = {VITALS_PUBLISH_OPTIONS_INIT, .vmm = "example"};
    struct vitals_ctx *ctx = NULL;
    struct vitals_kvm *kvm = NULL;
    int dev, vm, vcpu, failed;

    if (argc < 2) {
        fprintf(stderr, "usage: publish NAME [REGISTER.SOCK]\n");
        return 2;
    }
    options.name = argv[1];
    daemon.path = argc > 2 ? argv[2] : NULL; /* NULL: the host's */
    dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    vm = ioctl(dev, KVM_CREATE_VM, 0);
    vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    if (vcpu < 0) {
        perror("publish: /dev/kvm");
        return 1;
    }
    if (vitals_ctx_new(&options, &ctx))
        return 1;

    failed = vitals_kvm_new(ctx, vm, &kvm) || vitals_kvm_add_vcpu(kvm, "/machine/cpu[0]", vcpu) ||
             vitals_publish(ctx, kvm, &daemon); /* that is all of it */
    if (failed)
        fail(ctx);

    while (!failed && getchar() != EOF)
        ; /* here the VM runs */
    vitals_unpublish(ctx);
    vitals_kvm_free(kvm);
    vitals_ctx_free(ctx);
    return failed;
}
