#include "ui/save.h"
#include "base/text.h"
#include "capture/writer.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SLICE = 256, READ_BLOCK = 1 << 20 };

struct save {
    struct index_reader *reader;
    struct writer *writer;
    uint64_t count;
    int code;
    struct error why;
};

static bool is_same_file(const char *one, const char *other)
{
    struct stat a, b;
    return !stat(one, &a) && !stat(other, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int save_open(struct save **save, struct store *store, const char *path, struct error *error)
{
    *save = NULL;
    if (is_same_file(path, store_name(store)))
        return error_set(error, ERROR_USAGE, _("%s: that is the capture itself"), path);
    struct save *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    int code = index_reader_open(&s->reader, store_index(store), READ_BLOCK, error);
    if (!code)
        code = writer_open(&s->writer, path, error);
    if (!code && index_is_coarse(store_index(store)))
        writer_microseconds(s->writer);
    if (code) {
        index_reader_close(s->reader);
        free(s);
    } else {
        *save = s;
    }
    return code;
}

bool save_step(struct save *s, const struct view *view, int64_t deadline)
{
    struct record record;
    while (!s->code && s->count < view_count(view)) {
        for (unsigned i = 0; i < SLICE && !s->code && s->count < view_count(view); i++) {
            s->code = index_reader_get(s->reader, view_nth(view, s->count), &record, &s->why);
            if (s->code > 0)
                s->code = writer_put(s->writer, &record, &s->why);
            s->count += !s->code;
        }
        if (monotonic() >= deadline)
            return !s->code && s->count < view_count(view);
    }
    return false;
}

uint64_t save_count(const struct save *s)
{
    return s->count;
}

int save_close(struct save *s, struct error *error)
{
    int code = writer_close(s->writer, s->code ? NULL : error);
    if (s->code)
        error_set(error, s->code, "%s", s->why.text);
    code = s->code ? s->code : code;
    index_reader_close(s->reader);
    free(s);
    return code;
}
