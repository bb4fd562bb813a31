/* What the screen gives up before it takes the first packet apart, and who opens the files that the user names later: a
 * helper, which opens nothing for writing whose name does not end as a capture's does. */
#pragma once
#include "host/helper.h"

struct live;

struct walls {
    struct helper saver;
};

/* As the program was called, before anything is opened. Returns 0 or ERROR_SYSTEM. */
int walls_begin(struct walls *walls, struct error *error);
/* Privileges go, and the sandbox is entered; live: NULL for a file. Returns 0 or ERROR_SYSTEM. */
int walls_raise(struct walls *walls, const struct live *live, struct error *error);
/* A file to write a capture into, which is made if it is not there; what is in it stays until it is written. The name
 * ends in .pcapng or .pcap (walls_takes). Returns a descriptor, the caller's, or a negative error. */
int walls_open(struct walls *walls, const char *path, struct error *error);
bool walls_takes(const char *path);
void walls_end(struct walls *walls);
