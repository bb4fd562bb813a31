/* The table of keys: every name can be read back, no key means two things, and the manual page tells it. */
#include "ui/keys.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

Test(keys, every_key_has_a_name_that_is_read_back)
{
    struct keys keys;
    keys_open(&keys);
    for (unsigned action = 1; action < ACTIONS; action++) {
        cr_assert_not_null(key_rows[action].name);
        cr_assert(keys.of[action][0].keys[0], "%s has no key", key_rows[action].name);
        for (unsigned i = 0; i < KEYS_PER_ACTION && keys.of[action][i].keys[0]; i++) {
            char name[KEY_TEXT];
            struct key_sequence back;
            keys_name(&keys.of[action][i], name);
            cr_assert(keys_parse(name, &back), "%s", name);
            cr_assert(!memcmp(&back, &keys.of[action][i], sizeof back), "%s", name);
        }
    }
}

Test(keys, no_key_means_two_things)
{
    struct keys keys;
    keys_open(&keys);
    for (unsigned a = 1; a < ACTIONS; a++)
        for (unsigned b = a; b < ACTIONS; b++)
            for (unsigned i = 0; i < KEYS_PER_ACTION; i++)
                for (unsigned k = 0; k < KEYS_PER_ACTION; k++) {
                    const int32_t *one = keys.of[a][i].keys, *other = keys.of[b][k].keys;
                    bool same = (a != b || i != k) && one[0] && one[0] == other[0];
                    cr_assert(!same || (one[1] && other[1] && one[1] != other[1]), "%s and %s", key_rows[a].name,
                              key_rows[b].name);
                }
}

Test(keys, a_sequence_is_taken_key_by_key)
{
    struct keys keys;
    keys_open(&keys);
    cr_assert_eq(keys_take(&keys, 'g'), ACT_NONE);
    cr_assert_eq(keys_take(&keys, 'g'), ACT_TOP);
    cr_assert_eq(keys_take(&keys, 'g'), ACT_NONE);
    cr_assert_eq(keys_take(&keys, 'j'), ACT_DOWN, "the second key counts for itself");
    cr_assert_eq(keys_take(&keys, 'G'), ACT_BOTTOM);
    cr_assert_eq(keys_take(&keys, 0xe4), ACT_NONE);
}

static int read_text(struct keys *keys, const char *text, struct error *error)
{
    char path[] = "/tmp/peel-keys-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    keys_open(keys);
    int code = keys_read(keys, path, error);
    close(fd);
    unlink(path);
    return code;
}

Test(keys, a_file_changes_them)
{
    struct keys keys;
    struct error error;
    cr_assert_eq(read_text(&keys, "# comment\n\n  down x ^N\tä\nquit q\n", &error), 0);
    cr_assert_eq(keys_take(&keys, 'x'), ACT_DOWN);
    cr_assert_eq(keys_take(&keys, 'N' & 0x1f), ACT_DOWN);
    cr_assert_eq(keys_take(&keys, 0xe4), ACT_DOWN);
    cr_assert_eq(keys_take(&keys, 'j'), ACT_NONE, "its old keys are gone");
    cr_assert_eq(keys_take(&keys, 'q'), ACT_QUIT, "and a key has only its new meaning");
    cr_assert_eq(read_text(&keys, "up\n", &error), 0);
    cr_assert_eq(keys_take(&keys, 'k'), ACT_NONE, "a line without keys takes them all");
}

Test(keys, what_is_wrong_in_a_file_is_said_once_and_passed_over)
{
    struct keys keys;
    struct error error;
    cr_assert_eq(read_text(&keys, "down x\nsideways y\nup PgNowhere\nup u\n", &error), ERROR_USAGE);
    cr_assert(strstr(error.text, "line 2: nothing is called 'sideways'"), "%s", error.text);
    cr_assert_eq(keys_take(&keys, 'u'), ACT_UP);
    cr_assert_eq(read_text(&keys, "up a b c d e f g\n", &error), ERROR_USAGE);
    cr_assert_eq(keys_read(&keys, "/nonexistent/keys", &error), 0);
}

/* PEEL_ACCEPT=1 writes the page anew. */
Test(keys, the_manual_page_tells_the_table)
{
    static char page[1 << 20];
    struct buffer keys;
    FILE *file = fopen(MANUAL, "r");
    cr_assert_not_null(file);
    size_t n = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    page[n] = 0;
    cr_assert_eq(buffer_open(&keys, -1, 4096), 0);
    keys_manual(&keys);
    buffer_char(&keys, 0);
    const char *begin = strstr(page, ".\\\" keys: from ui/keys.c\n"), *end = strstr(page, ".\\\" end of keys\n");
    cr_assert(begin && end);
    begin = strchr(begin, '\n') + 1;
    bool same = (size_t)(end - begin) == buffer_used(&keys) - 1 && !memcmp(begin, keys.start, (size_t)(end - begin));
    if (!same && getenv("PEEL_ACCEPT")) {
        file = fopen(MANUAL, "w");
        fprintf(file, "%.*s%s%s", (int)(begin - page), page, keys.start, end);
        fclose(file);
        same = true;
    }
    cr_assert(same, "man/peel.1 should say:\n%s", keys.start);
    buffer_free(&keys);
}
