#include "capture/series.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int too_long(const struct series *s, struct error *error)
{
    return error_set(error, ERROR_USAGE, _("%.200s: the file's name is too long or empty"), s->path);
}

/* Where a name's ending begins; ".pcapng" of "a.b/lunch.pcapng". */
static size_t stem(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    return dot && dot > (slash ? slash + 1 : path) ? (size_t)(dot - path) : strlen(path);
}

static int make_name(struct series *s, struct error *error)
{
    time_t now = time(NULL);
    struct tm local;
    char pattern[SERIES_PATH], before[SERIES_PATH];
    size_t cut = stem(s->path);
    int n;
    localtime_r(&now, &local);
    if (!s->changes)
        n = snprintf(s->current, sizeof s->current, "%s", s->path);
    else if (!strchr(s->path, '%')) {
        char clock[32];
        strftime(clock, sizeof clock, "%Y%m%dT%H%M%S", &local);
        n = snprintf(s->current, sizeof s->current, "%.*s-%05u-%s%s", (int)cut, s->path, s->number, clock,
                     s->path + cut);
    } else {
        memcpy(before, s->current, sizeof before);
        n = (int)strftime(s->current, sizeof s->current, s->path, &local);
        if (n && s->number > 1 && !strcmp(s->current, before)) { /* within a second: a number after all */
            size_t end = stem(before);
            memcpy(pattern, before, sizeof pattern);
            n = snprintf(s->current, sizeof s->current, "%.*s-%05u%s", (int)end, pattern, s->number, pattern + end);
        }
    }
    return n <= 0 || n >= (int)sizeof s->current ? too_long(s, error) : 0;
}

static int open_current(struct series *s, struct error *error)
{
    int flags = O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY;
    int fd = open(s->current, flags | O_CREAT | O_EXCL, 0666);
    bool made = fd >= 0;
    if (fd < 0 && errno == EEXIST)
        fd = open(s->current, flags | O_CREAT, 0666);
    if (fd < 0)
        return error_set(error, ERROR_SYSTEM, "%s: %s", s->current, strerror(errno));
    if (made && s->owner != (uid_t)-1 && fchown(fd, s->owner, s->group))
        errno = 0; /* then it stays ours */
    return s->fd = fd;
}

/* Puts the current name among the kept ones, in the place of the oldest, which goes. */
static int keep_current(struct series *s, struct error *error)
{
    if (!s->keep)
        return 0;
    if (!s->kept)
        s->kept = calloc(s->keep, sizeof *s->kept);
    char **place = s->kept ? &s->kept[(s->number - 1) % s->keep] : NULL;
    char *name = strdup(s->current);
    if (!place || !name) {
        free(name);
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    }
    if (*place && strcmp(*place, name))
        unlink(*place);
    free(*place);
    *place = name;
    return 0;
}

int series_next(struct series *s, struct error *error)
{
    s->number++;
    int code = make_name(s, error);
    if (!code)
        code = keep_current(s, error);
    return code ? code : open_current(s, error);
}

int series_again(struct series *s, struct error *error)
{
    return open_current(s, error);
}

void series_close(struct series *s)
{
    for (unsigned i = 0; s->kept && i < s->keep; i++)
        free(s->kept[i]);
    free(s->kept);
    s->kept = NULL;
}
