/* SPDX-License-Identifier: MIT */
/* How many files there are. */
#ifndef UNIT_FILES_H
#define UNIT_FILES_H

int count_files(const char *directory); /* and directories, without . and .. */
int count_open_files(void);             /* of this process, with one that is open while it counts */

#endif
