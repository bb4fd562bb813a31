/* What the process may do, and how it gives that up before it looks at the first packet.
 *
 * What happens where, for every command that reads packets from an interface or a file:
 *
 * - As it was called: the interface is opened, a network namespace entered; the first capture; the first file of
 *   `capture`, the folder of `follow --split`, the picture of `ladder` and `stats`; the screen's settings, terminal and
 *   the unnamed files that keep what it knows.
 * - In a helper, which keeps the capabilities that its deeds need and parses no packet: the interface that came back,
 *   who owns a socket, the captures that come next or are read again, the next file of a ring and removing its oldest
 *   one, a file in the folder of --split (a plain name in there, and nothing else), and for the screen, in a helper of
 *   its own, a file to write to that is named .pcapng or .pcap.
 * - As SUDO_UID or nobody, without capabilities, no_new_privs, within sandbox.h, everything else: reading the ring,
 *   taking packets apart, tracking, printing, drawing, writing into descriptors that it was given.
 *
 * `send`, `connect`, `listen` and `run`, which send as well, keep what they have. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum privilege_capability {
    CAPABILITIES_NONE = 0,
    CAPABILITIES_FILES = 1,   /* making, removing and giving away files in others' folders */
    CAPABILITIES_OWNERS = 2,  /* looking into others' /proc */
    CAPABILITIES_READING = 4, /* others' files */
};

/* "WHAT: permission denied: DOING needs CAPABILITY. Once: sudo setcap ... PATH". Returns ERROR_PERMISSION. */
int privilege_missing(const char *what, const char *doing, const char *capability, struct error *error);

/* Whom root becomes: SUDO_UID and SUDO_GID, or nobody. False: we are not root, and stay who we are. */
bool privilege_successor(uid_t *user, gid_t *group);
/* SUDO_UID and SUDO_GID, if we are root: who called, and whose the files are to be. */
bool privilege_caller(uid_t *user, gid_t *group);
/* Keeps of the capabilities there are only these (of enum privilege_capability, or-ed), for the helper. */
int privilege_keep(unsigned capabilities, struct error *error);
/* For good: another user if we are root, no capabilities, no way to new ones. Returns 0 or ERROR_SYSTEM. */
int privilege_drop(struct error *error);
