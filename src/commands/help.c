#include "commands/help.h"
#include "base/text.h"
#include "commands/terminal.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS = 80, COLUMNS_LEAST = 60, COLUMNS_MOST = 120, INDENT = 31 };

static unsigned columns_of_output(void)
{
    struct style style;
    terminal_style(&style, STDOUT_FILENO, "never", false);
    if (!style.columns)
        return COLUMNS;
    return style.columns < COLUMNS_LEAST ? COLUMNS_LEAST : style.columns > COLUMNS_MOST ? COLUMNS_MOST : style.columns;
}

/* The columns of n bytes of UTF-8: of what translators write, a column a character. */
static unsigned columns_of(const char *text, size_t n)
{
    unsigned columns = 0;
    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

/* Words from column `at` on, in lines that begin at `indent` and end before `most`. */
static void print_wrapped(const char *text, unsigned at, unsigned indent, unsigned most)
{
    bool first = true;
    while (*text) {
        size_t n = strcspn(text, " ");
        unsigned wide = columns_of(text, n);
        if (!first && at + 1 + wide > most) {
            printf("\n%*s", (int)indent, "");
            at = indent;
        } else if (!first) {
            putchar(' ');
            at++;
        }
        fwrite(text, 1, n, stdout);
        at += wide;
        first = false;
        text += n;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_row(const char *left, const char *help, unsigned most)
{
    printf("%-*s", INDENT, left);
    if (strlen(left) >= INDENT)
        printf("\n%*s", INDENT, "");
    print_wrapped(help, INDENT, INDENT, most);
}

void help_print(const struct command *command)
{
    unsigned most = columns_of_output();
    printf(_("Usage: peel %s %s\n"), command->name, command->usage);
    print_wrapped(_(command->summary), 0, 0, most);
    putchar('\n');
    for (const struct option_row *row = command->options; row->letter; row++) {
        char left[80];
        int n =
            row->letter < 256 ? snprintf(left, sizeof left, "  -%c", row->letter) : snprintf(left, sizeof left, "    ");
        if (row->name)
            n += snprintf(left + n, sizeof left - (size_t)n, "%s--%s", row->letter < 256 ? ", " : "  ", row->name);
        if (row->argument)
            snprintf(left + n, sizeof left - (size_t)n, " %s", row->argument);
        print_row(left, _(row->help), most);
    }
    print_row("  -h, --help", _("this text"), most);
}
