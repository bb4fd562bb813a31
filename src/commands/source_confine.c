/* What a source gives up before the first packet is taken apart, and the helper that does what has to be done later:
 * opening the next capture, the next file of a ring or a file in a folder; the interface that came back; whose sockets
 * are. Which files may be opened is the helper's own knowledge, from before. */
#include "base/text.h"
#include "capture/series.h"
#include "capture/writer.h"
#include "commands/source.h"
#include "host/interface.h"
#include "host/owner.h"
#include "host/privilege.h"
#include "host/sandbox.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { DEED_LOOK = 1, DEED_NEXT_FILE, DEED_SAME_FILE, DEED_SOCKETS, DEED_OWNERS, DEED_CAPTURE, DEED_MAKE };

/* --- in the helper --- */

/* It keeps what its deeds need. */
static void begin_helping(void *context)
{
    const struct source *s = context;
    unsigned keep = (s->series || s->wants & SOURCE_MAKES ? CAPABILITIES_FILES : 0) |
                    (s->wants & SOURCE_OWNERS ? CAPABILITIES_OWNERS : 0) | (s->file_count ? CAPABILITIES_READING : 0);
    interfaces_forget();
    setpriority(PRIO_PROCESS, 0, 0);
    privilege_keep(keep, NULL);
}

static void next_of_series(struct source *s, bool again, struct helper_answer *answer)
{
    close(s->series->fd);
    answer->fd = again ? series_again(s->series, &answer->error) : series_next(s->series, &answer->error);
    answer->code = answer->fd < 0 ? answer->fd : 0;
    if (!answer->code)
        buffer_put(&answer->bytes, s->series->current, strlen(s->series->current) + 1);
}

/* One of the captures on the command line, by its number. */
static int open_capture(const struct source *s, const struct helper_question *question, struct error *error)
{
    uint32_t number = UINT32_MAX;
    if (question->bytes.left == sizeof number)
        memcpy(&number, question->bytes.at, sizeof number);
    if (number >= s->file_count || !strcmp(s->files[number], "-"))
        return error_set(error, ERROR_SYSTEM, "%s", strerror(EINVAL));
    return capture_open_file(s->files[number], error);
}

/* A name in the folder itself, and of a kind that means nothing to a shell. */
static bool is_plain_name(const char *name)
{
    const char *at = name;
    while (isalnum((unsigned char)*at) || *at == '-' || *at == '_' || (*at == '.' && at > name))
        at++;
    return *name && !*at;
}

/* What is made belongs to who called. Returns a descriptor, or a negative errno. */
static int make_file(const struct source *s, const char *name)
{
    uid_t owner;
    gid_t group;
    int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
    if (!(s->wants & SOURCE_MAKES) || !name || !is_plain_name(name))
        return -EINVAL;
    int fd = openat(s->folder, name, flags | O_CREAT | O_EXCL, 0666);
    if (fd >= 0 && privilege_caller(&owner, &group) && fchown(fd, owner, group))
        errno = 0; /* then it stays ours */
    if (fd < 0 && errno == EEXIST)
        fd = openat(s->folder, name, flags);
    return fd < 0 ? -errno : fd;
}

static void help(void *context, const struct helper_question *question, struct helper_answer *answer)
{
    struct source *s = context;
    struct live_standing standing;
    static int opened = -1; /* the asker has its own by the next question */
    if (opened >= 0)
        close(opened);
    opened = -1;
    switch (question->deed) {
    case HELPER_END:
        if (s->series)
            writer_tidy(s->series->fd, writer_is_pcap(s->series->current), *s->written);
        break;
    case DEED_LOOK:
        standing = s->interface ? capture_look(s->capture) : (struct live_standing){ 0 };
        buffer_put(&answer->bytes, &standing, sizeof standing);
        break;
    case DEED_NEXT_FILE:
    case DEED_SAME_FILE:
        if (s->series)
            next_of_series(s, question->deed == DEED_SAME_FILE, answer);
        break;
    case DEED_SOCKETS:
    case DEED_OWNERS:
        answer->code = owner_sockets(&answer->bytes, question->deed == DEED_OWNERS, &answer->error);
        break;
    case DEED_CAPTURE:
        answer->fd = opened = open_capture(s, question, &answer->error);
        answer->code = opened < 0 ? opened : 0;
        break;
    case DEED_MAKE:
        opened = make_file(s, helper_text(question));
        answer->fd = opened < 0 ? -1 : opened;
        buffer_put(&answer->bytes, &opened, sizeof opened);
    }
}

/* --- asking it --- */

static bool ask_to_look(void *context, struct live_standing *standing)
{
    struct source *s = context;
    struct helper_answer answer;
    bool good = !helper_ask(&s->helper, DEED_LOOK, &answer) && buffer_used(&answer.bytes) == sizeof *standing;
    if (good)
        memcpy(standing, answer.bytes.start, sizeof *standing);
    buffer_free(&answer.bytes);
    return good;
}

int source_file(struct source *s, bool again, struct error *error)
{
    struct helper_answer answer;
    if (!s->confined)
        return again ? series_again(s->series, error) : series_next(s->series, error);
    int code = helper_ask(&s->helper, again ? DEED_SAME_FILE : DEED_NEXT_FILE, &answer);
    if (code)
        error_set(error, code, "%s", answer.error.text);
    else
        snprintf(s->series->current, sizeof s->series->current, "%s", answer.bytes.start);
    buffer_free(&answer.bytes);
    return code ? code : answer.fd;
}

int source_open_capture(struct source *s, struct error *error)
{
    struct helper_answer answer;
    uint32_t number = s->file;
    const char *path = s->files[number];
    if (!s->confined || s->wants & SOURCE_FREE || !strcmp(path, "-"))
        return capture_open(&s->capture, path, error);
    struct span question = { (const uint8_t *)&number, sizeof number };
    int code = helper_ask_with(&s->helper, DEED_CAPTURE, question, &answer);
    buffer_free(&answer.bytes);
    if (code)
        return error_set(error, code, "%s", answer.error.text);
    return capture_open_descriptor(&s->capture, answer.fd, path, error);
}

int source_make(void *context, const char *name)
{
    struct source *s = context;
    struct helper_answer answer;
    int reason = -EIO;
    struct span question = { (const uint8_t *)name, strlen(name) + 1 };
    int code = helper_ask_with(&s->helper, DEED_MAKE, question, &answer);
    if (!code && answer.fd < 0 && buffer_used(&answer.bytes) == sizeof reason)
        memcpy(&reason, answer.bytes.start, sizeof reason);
    buffer_free(&answer.bytes);
    return !code && answer.fd >= 0 ? answer.fd : reason;
}

void source_ask_sockets(struct source *s)
{
    helper_request(&s->helper, s->wants & SOURCE_OWNERS ? DEED_OWNERS : DEED_SOCKETS);
}

bool source_sockets_there(const struct source *s)
{
    return helper_ready(&s->helper);
}

int source_sockets(struct source *s, struct helper_answer *answer)
{
    return helper_answer(&s->helper, answer);
}

/* --- giving up --- */

int source_confine(struct source *s, struct error *error)
{
    int route = -1, code = 0;
    bool later = s->interface || s->file < s->file_count || s->wants & (SOURCE_AGAIN | SOURCE_MAKES);
    s->confined = true;
    s->helper.fd = -1;
    if (s->wants & SOURCE_FREE)
        return 0;
    if (s->interface && (route = interfaces_hold(error)) < 0)
        return route;
    if (later)
        code = helper_start(&s->helper, begin_helping, help, s, error);
    if (!code && s->interface)
        capture_looks_by(s->capture, ask_to_look, s);
    if (!code)
        code = privilege_drop(error);
    struct sandbox sandbox = { .talking = { route, s->helper.fd, -1 } };
    return code ? code : sandbox_enter(&sandbox, error);
}
