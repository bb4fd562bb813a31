/* The options -n, -N and --hosts, for every command that shows names for addresses and ports. */
#pragma once
#include "output/names.h"

struct naming {
    bool asked;
    const char *hosts;   /* a file in place of /etc/hosts; NULL: that one */
    struct names *names; /* owned; NULL: none were asked for, or naming_open was not called yet */
};

enum { NAMING_HOSTS = 880 };

/* For a command's option table. */
#define NAMING_ROWS                                                                                                    \
    { 'n', "numeric", NULL, N_("no names for addresses and ports (the default)") },                                    \
        { 'N', "names", NULL, N_("names for addresses and ports: hosts file, DNS answers in the capture, services") }, \
    {                                                                                                                  \
        NAMING_HOSTS, "hosts", "FILE", N_("this hosts file for -N in place of /etc/hosts")                             \
    }

/* False: the letter is of none of these rows. */
bool naming_option(struct naming *naming, int letter, const char *argument);
/* Reads the files if names were asked for. Returns 0 or a negative error. naming_close in either case. */
int naming_open(struct naming *naming, struct error *error);
void naming_close(struct naming *naming);
