#include "commands/terminal.h"
#include "base/text.h"
#include "commands/options.h"
#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int terminal_when(const char **when, const struct command *command, const char *option, const char *word)
{
    if (strcmp(word, "auto") && strcmp(word, "always") && strcmp(word, "never"))
        return usage_error(_("%s: --%s %s: not one of auto, always, never"), command->name, option, word);
    *when = word;
    return 0;
}

void terminal_style(struct style *style, int fd, const char *color, bool ascii)
{
    bool terminal = isatty(fd);
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    bool fit = terminal && !(no_color && *no_color) && term && strcmp(term, "dumb");
    style->color = !strcmp(color, "always") || (!strcmp(color, "auto") && fit);
    style->ascii = ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    struct winsize size;
    style->columns = terminal && !ioctl(fd, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

int terminal_finish(struct buffer *out, int code, struct error *error)
{
    buffer_flush(out);
    int status = report(code, error);
    if (!out->failed || out->failed == EPIPE)
        return status;
    return report(error_set(error, ERROR_SYSTEM, _("standard output: %s"), strerror(out->failed)), error);
}
