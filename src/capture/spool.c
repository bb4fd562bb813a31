#include "capture/spool.h"
#include "base/text.h"
#include "capture/file.h"
#include "capture/live.h"
#include "capture/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { RECORDS_AT_ONCE = 1024 };

struct spool {
    struct capture *capture; /* the caller's */
    struct writer *writer;   /* of records; NULL: bytes go as they come */
    int fd;
    uint64_t size; /* bytes written */
    int over;      /* what spool_take returned at the end; 1: not there yet */
    struct error sentence;
};

int spool_make_file(void)
{
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder)
        folder = "/var/tmp";
#ifdef O_TMPFILE
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (fd >= 0)
        return fd;
#endif
    char path[4096];
    if (snprintf(path, sizeof path, "%s/peel-XXXXXX", folder) >= (int)sizeof path)
        return errno = ENAMETOOLONG, -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int spool_open(struct spool **spool, struct capture *capture, struct error *error)
{
    *spool = NULL;
    struct spool *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    *s = (struct spool){ .capture = capture, .fd = spool_make_file(), .over = 1 };
    int code = 0;
    if (s->fd < 0)
        code = error_set(error, ERROR_SYSTEM, _("a file to keep packets in: %s"), strerror(errno));
    else if (capture->format == &capture_libpcap || capture_is_live(capture)) {
        int copy = dup(s->fd);
        code = writer_open_descriptor(&s->writer, copy, _("the file that keeps packets"), error);
        if (code && copy >= 0)
            close(copy);
    }
    if (code) {
        spool_close(s);
        return code;
    }
    *spool = s;
    return 0;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    if (s->writer)
        writer_close(s->writer, NULL);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

int spool_file(const struct spool *s)
{
    return s->fd;
}

int spool_feed(const struct spool *s)
{
    return capture_is_live(s->capture) ? capture_fd(s->capture) : s->capture->fd;
}

static int write_piece(struct spool *s, struct span piece, struct error *error)
{
    while (piece.left) {
        ssize_t n = write(s->fd, piece.at, piece.left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(error, ERROR_SYSTEM, _("the file that keeps packets: %s"), strerror(errno));
        span_pull(&piece, (size_t)n);
        s->size += (uint64_t)n;
    }
    return 1;
}

static int take_bytes(struct spool *s, struct error *error)
{
    struct span piece;
    int code = capture_pour(s->capture, &piece, error);
    return code > 0 ? write_piece(s, piece, error) : code;
}

static int take_records(struct spool *s, struct error *error)
{
    struct record record;
    int code = 1, written = 0;
    for (unsigned i = 0; i < RECORDS_AT_ONCE && (code = capture_next(s->capture, &record, error)) == 1; i++)
        if ((written = writer_put(s->writer, &record, error)))
            return written;
    written = writer_flush(s->writer, code < 0 ? NULL : error);
    off_t size = lseek(s->fd, 0, SEEK_CUR); /* the writer's place is ours: it has a copy of the same file */
    s->size = size > 0 ? (uint64_t)size : 0;
    return code < 0 ? code : written ? written : code;
}

int spool_take(struct spool *s, struct error *error)
{
    if (s->over == 1) {
        int code = s->writer ? take_records(s, &s->sentence) : take_bytes(s, &s->sentence);
        s->over = code > 0 ? 1 : code;
    }
    if (s->over < 0)
        error_set(error, s->over, "%s", s->sentence.text);
    return s->over;
}

uint64_t spool_size(const struct spool *s)
{
    return s->size;
}
