/* SPDX-License-Identifier: MIT */
#include "serve/vm_shares.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

/* One user's VMs, the oldest first. */
struct tenant {
    struct vm_entry **vms;
    size_t n, n_served;
    size_t next; /* none before it waits */
    size_t end;  /* none from there on is served */
};

struct shares {
    struct vm_entry **vms;
    struct tenant *tenants;
    size_t n_tenants;
};

/* ---- who there is --------------------------------------------------------------------------- */

static bool is_served(const struct vm_entry *entry)
{
    return entry->listeners[VM_SOCKET_GROUPED] && entry->listeners[VM_SOCKET_FLAT];
}

static int compare(const void *a, const void *b)
{
    const struct vm_entry *one = *(struct vm_entry *const *)a;
    const struct vm_entry *other = *(struct vm_entry *const *)b;

    if (one->vm->uid != other->vm->uid)
        return one->vm->uid < other->vm->uid ? -1 : 1;
    return (one->number > other->number) - (one->number < other->number);
}

static void add(struct shares *shares, struct vm_entry **vm)
{
    struct tenant *tenant = &shares->tenants[shares->n_tenants];

    if (shares->n_tenants && tenant[-1].vms[0]->vm->uid == (*vm)->vm->uid)
        tenant--;
    else
        shares->tenants[shares->n_tenants++] = (struct tenant){.vms = vm};
    tenant->n_served += is_served(*vm);
    tenant->end = ++tenant->n;
}

static bool find_tenants(struct vm_sockets *sockets, struct shares *ret_shares)
{
    struct shares *shares = ret_shares;
    size_t n = sockets->n;

    *shares = (struct shares){.vms = calloc(n, sizeof(*shares->vms)),
                              .tenants = calloc(n, sizeof(*shares->tenants))};
    if (!shares->vms || !shares->tenants)
        return false;
    for (size_t i = 0; i < n; i++)
        shares->vms[i] = &sockets->entries[i];
    qsort(shares->vms, n, sizeof(*shares->vms), compare);
    for (size_t i = 0; i < n; i++)
        add(shares, &shares->vms[i]);
    return true;
}

/* NULL: none waits. */
static struct vm_entry *oldest_waiting(struct tenant *tenant)
{
    while (tenant->next < tenant->n && tenant->vms[tenant->next]->err != -EMFILE)
        tenant->next++;
    return tenant->next < tenant->n ? tenant->vms[tenant->next] : NULL;
}

/* There is one. */
static struct vm_entry *newest_served(struct tenant *tenant)
{
    while (!is_served(tenant->vms[tenant->end - 1]))
        tenant->end--;
    return tenant->vms[tenant->end - 1];
}

/* ---- who is next ---------------------------------------------------------------------------- */

/* Of those with VMs that wait. NULL: there is none. */
static struct tenant *find_poorest(const struct shares *shares)
{
    struct tenant *poorest = NULL;

    for (size_t i = 0; i < shares->n_tenants; i++) {
        struct tenant *tenant = &shares->tenants[i];

        if ((!poorest || tenant->n_served < poorest->n_served) && oldest_waiting(tenant))
            poorest = tenant;
    }
    return poorest;
}

static struct tenant *find_richest(const struct shares *shares)
{
    struct tenant *richest = &shares->tenants[0];

    for (size_t i = 1; i < shares->n_tenants; i++)
        if (shares->tenants[i].n_served > richest->n_served)
            richest = &shares->tenants[i];
    return richest;
}

/* False: nobody has two more, so that to take one would only turn it round. */
static bool take_for(struct vm_sockets *sockets, const struct vm_shares_ops *ops,
                     const struct shares *shares, const struct tenant *poorest)
{
    struct tenant *richest = find_richest(shares);

    if (richest->n_served < poorest->n_served + 2)
        return false;
    ops->shut(sockets, newest_served(richest));
    richest->n_served--;
    return true;
}

/* False: that was the last one for now. */
static bool give_one(struct vm_sockets *sockets, const struct vm_shares_ops *ops,
                     const struct shares *shares)
{
    struct tenant *poorest = find_poorest(shares);
    struct vm_entry *entry;

    if (!poorest)
        return false;
    if (!ops->are_files_left(sockets) && !take_for(sockets, ops, shares, poorest))
        return false;
    entry = oldest_waiting(poorest);
    ops->open(sockets, entry);
    poorest->n_served += is_served(entry);
    return entry->err != -EMFILE;
}

bool vm_shares_give(struct vm_sockets *sockets, const struct vm_shares_ops *ops, uint64_t until_ns)
{
    uint64_t begin_ns = clock_now_ns();
    struct shares shares;
    bool is_more = false;

    if (find_tenants(sockets, &shares)) {
        uint64_t sorted_ns = clock_now_ns() - begin_ns;

        if (until_ns < UINT64_MAX - sorted_ns)
            until_ns += sorted_ns;
        do
            is_more = give_one(sockets, ops, &shares);
        while (is_more && clock_now_ns() < until_ns);
    }
    free(shares.vms);
    free(shares.tenants);
    return is_more;
}
