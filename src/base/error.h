/* How functions fail: they return 0 (or a count) or one of these, all negative, and leave one sentence for the user in
 * a struct error that the caller owns. The sentence is "WHAT: WHY", already translated, without "peel: " and newline.
 */
#pragma once

enum peel_error {
    ERROR_USAGE = -1,      /* the command line was wrong: exit status 2 */
    ERROR_SYSTEM = -2,     /* the system said no: open, read, write */
    ERROR_FORMAT = -3,     /* not a format we know */
    ERROR_DAMAGED = -4,    /* the input is damaged from here on; what came before was good */
    ERROR_MEMORY = -5,     /* no memory */
    ERROR_NOT_FOUND = -6,  /* something asked for by name is not there */
    ERROR_PERMISSION = -7, /* not permitted; the sentence names what is missing */
    ERROR_CLOSED = -8,     /* who read our output has left: the end, but nobody is told */
};

struct error {
    char text[512];
};

/* Writes the sentence (printf's format) and returns code, so that a caller can end with it. error may be NULL.
 * Control bytes that came in by an argument (a file's name) are replaced. */
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
