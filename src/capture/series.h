/* The names of the files that a capture goes into, one after another: -w FILE alone is one file; where files change, a
 * number and the local time go in front of its ending (lunch-00001-20260726T120307.pcapng), unless FILE has conversions
 * of strftime(3) itself. Of a ring, the oldest file is removed for each one that is more. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SERIES_PATH = 4096, SERIES_KEEP_MAX = 100000 };

struct series {
    /* asked for */
    const char *path;
    bool changes;  /* there will be more than one */
    unsigned keep; /* 0: all */
    uid_t owner;   /* of the files that are made; -1: as it comes */
    gid_t group;
    /* at work */
    unsigned number; /* of the file that is open, from 1 */
    char current[SERIES_PATH];
    int fd;      /* of the file that is open */
    char **kept; /* owned; a ring of `keep` names */
};

/* Makes the next file (an old one of its name goes) and removes the oldest if that is one too many. Returns its
 * descriptor, the caller's, or ERROR_SYSTEM, ERROR_USAGE (a name too long), ERROR_MEMORY. */
int series_next(struct series *series, struct error *error);
/* The open file under the same name again, after it was removed by somebody. */
int series_again(struct series *series, struct error *error);
void series_close(struct series *series);
