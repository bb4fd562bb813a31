#include "ui/walls.h"
#include "base/text.h"
#include "host/privilege.h"
#include "host/sandbox.h"
#include "ui/live.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { DEED_SAVE = 1 };

bool walls_takes(const char *path)
{
    static const char *const endings[] = { ".pcapng", ".pcap" };
    size_t n = strlen(path);
    for (unsigned i = 0; i < sizeof endings / sizeof *endings; i++)
        if (n > strlen(endings[i]) && !strcmp(path + n - strlen(endings[i]), endings[i]))
            return true;
    return false;
}

/* --- in the helper --- */

static void begin_helping(void *context)
{
    (void)context;
    privilege_keep(CAPABILITIES_FILES, NULL);
}

/* Not cut yet: perhaps it is the capture that is looked at. What is made belongs to who called. */
static int open_file(const char *path, struct error *error)
{
    uid_t owner;
    gid_t group;
    int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY;
    if (!path || !walls_takes(path))
        return error_set(error, ERROR_SYSTEM, "%s", strerror(EINVAL));
    int fd = open(path, flags | O_CREAT | O_EXCL, 0666);
    if (fd >= 0 && privilege_caller(&owner, &group) && fchown(fd, owner, group))
        errno = 0; /* then it stays ours */
    if (fd < 0 && errno == EEXIST)
        fd = open(path, flags);
    return fd < 0 ? error_set(error, ERROR_SYSTEM, "%s: %s", path, strerror(errno)) : fd;
}

static void help(void *context, const struct helper_question *question, struct helper_answer *answer)
{
    static int opened = -1; /* the asker has its own by the next question */
    (void)context;
    if (opened >= 0)
        close(opened);
    opened = -1;
    if (question->deed != DEED_SAVE)
        return;
    answer->fd = opened = open_file(helper_text(question), &answer->error);
    answer->code = opened < 0 ? opened : 0;
}

/* --- outside of it --- */

int walls_begin(struct walls *w, struct error *error)
{
    return helper_start(&w->saver, begin_helping, help, NULL, error);
}

int walls_raise(struct walls *w, const struct live *live, struct error *error)
{
    struct sandbox sandbox = { .talking = { w->saver.fd, -1, -1 }, .terminal = true };
    if (live)
        live_talks(live, &sandbox.talking[1]);
    int code = privilege_drop(error);
    return code ? code : sandbox_enter(&sandbox, error);
}

int walls_open(struct walls *w, const char *path, struct error *error)
{
    struct helper_answer answer;
    struct span question = { (const uint8_t *)path, strlen(path) + 1 };
    int code = helper_ask_with(&w->saver, DEED_SAVE, question, &answer);
    buffer_free(&answer.bytes);
    return code ? error_set(error, code, "%s", answer.error.text) : answer.fd;
}

void walls_end(struct walls *w)
{
    helper_stop(&w->saver);
}
