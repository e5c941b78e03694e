/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

void doctor_out_of_memory(const struct doctor *doctor)
{
    fprintf(stderr, "%s: out of memory\n", doctor->command);
    exit(EXIT_FAILURE);
}

struct finding *doctor_find(struct doctor *doctor, const char *check, enum finding_status status,
                            const char *format, ...)
{
    struct finding *finding;
    va_list args;

    doctor->findings =
        reallocarray(doctor->findings, doctor->n_findings + 1, sizeof(*doctor->findings));
    if (!doctor->findings)
        doctor_out_of_memory(doctor);
    finding = &doctor->findings[doctor->n_findings++];
    *finding = (struct finding){.check = check, .status = status};
    va_start(args, format);
    vsnprintf(finding->text, sizeof(finding->text), format, args);
    va_end(args);
    text_make_plain(finding->text); /* whoever made a socket chose its name */
    return finding;
}

void finding_hint(struct finding *finding, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(finding->hint, sizeof(finding->hint), format, args);
    va_end(args);
}

void doctor_path(const struct doctor *doctor, char text[DOCTOR_PATH_MAX], const char *path)
{
    snprintf(text, DOCTOR_PATH_MAX, "%s%s", doctor->root, path);
}
