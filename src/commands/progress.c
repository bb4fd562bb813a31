#include "commands/progress.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/text.h"
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const int64_t second = 1000000000, rest = 250 * INT64_C(1000000);

static struct {
    bool on, shown;
    bool spoken; /* something was written to a terminal, where the line would lie in it */
    int64_t begun, drawn;
    uint64_t before, size; /* bytes: of the files before, of all */
} progress;

static void before_writing(int fd)
{
    if (fd != STDOUT_FILENO)
        return;
    progress_end();
    progress.spoken = true;
}

static bool may_show(bool silent)
{
    struct stat output;
    if (!isatty(STDERR_FILENO) || fstat(STDOUT_FILENO, &output))
        return false;
    if (isatty(STDOUT_FILENO))
        return silent && !progress.spoken;
    return S_ISREG(output.st_mode) || S_ISCHR(output.st_mode);
}

bool progress_begin(bool silent, uint64_t size)
{
    progress_end();
    progress.on = may_show(silent);
    progress.begun = progress.drawn = progress.on ? clock_ns(CLOCK_MONOTONIC) : 0;
    progress.before = 0;
    progress.size = size;
    if (progress.on && isatty(STDOUT_FILENO))
        buffer_before_write = before_writing;
    return progress.on;
}

/* "42" of "42 %": never 100 before the end, never more. */
static unsigned percent(uint64_t bytes)
{
    double share = (double)bytes / (double)progress.size;
    return share >= 1 ? 99 : (unsigned)(share * 100);
}

void progress_at(uint64_t bytes)
{
    if (!progress.on)
        return;
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    if (now - progress.begun < second || (progress.shown && now - progress.drawn < rest))
        return;
    bytes += progress.before;
    double megabytes = (double)bytes / 1e6, speed = megabytes / ((double)(now - progress.begun) / 1e9);
    fputs("\r\033[K", stderr);
    if (progress.size)
        fprintf(stderr, _("peel: %u %% of %.1f MB, %.1f MB/s"), percent(bytes), (double)progress.size / 1e6, speed);
    else
        fprintf(stderr, _("peel: %.1f MB, %.1f MB/s"), megabytes, speed);
    fflush(stderr);
    progress.shown = true;
    progress.drawn = now;
}

void progress_file(uint64_t bytes)
{
    progress.before += bytes;
}

void progress_end(void)
{
    if (progress.shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    progress.on = progress.shown = false;
}
