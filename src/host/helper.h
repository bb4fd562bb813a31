/* A small process beside the one that takes packets apart. It is forked off before that one gives its privileges up,
 * parses no packet, and does only what its deed function knows: it is asked by a number, with bytes that it has to
 * mistrust, and answers with a code, a descriptor, bytes. It ends when the other end of its socket does, whatever
 * became of that process. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"
#include <sys/types.h>

enum { HELPER_QUESTION_MAX = 4096, HELPER_ANSWER_MAX = 64 << 20, HELPER_END = 0 };

struct helper {
    int fd; /* -1: none */
    pid_t pid;
};

struct helper_question {
    unsigned deed;
    struct span bytes; /* up to HELPER_QUESTION_MAX */
};

struct helper_answer {
    int code;            /* 0 or a peel_error, then with a sentence */
    int fd;              /* -1: none; the asker's */
    struct error error;  /* its sentence, or with code 0 a text that belongs to the answer (a file's name) */
    struct buffer bytes; /* in memory; the caller frees it */
};

/* A deed of the helper: fills the answer, whose bytes are an empty buffer. A descriptor stays the helper's. deed is
 * called with HELPER_END before the helper ends. */
typedef void helper_deed(void *context, const struct helper_question *question, struct helper_answer *answer);
/* The question's bytes as a text with its zero at the end and nowhere else; NULL: they are none. */
const char *helper_text(const struct helper_question *question);

/* begin, in the helper, before anything is asked: may be NULL. Returns 0 or ERROR_SYSTEM. */
int helper_start(struct helper *helper, void (*begin)(void *context), helper_deed *deed, void *context,
                 struct error *error);
/* Asks for a deed, not HELPER_END, and waits for the answer. Returns its code, or ERROR_SYSTEM when the helper is gone.
 * answer->bytes are to be freed in either case. */
int helper_ask(struct helper *helper, unsigned deed, struct helper_answer *answer);
int helper_ask_with(struct helper *helper, unsigned deed, struct span bytes, struct helper_answer *answer);
/* The same in two steps, for what takes long: nothing else may be asked in between. helper_ready: the answer is there.
 */
int helper_request(struct helper *helper, unsigned deed);
bool helper_ready(const struct helper *helper);
int helper_answer(struct helper *helper, struct helper_answer *answer);
void helper_stop(struct helper *helper);
