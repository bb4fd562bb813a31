#include "commands/naming.h"
#include <stddef.h>

bool naming_option(struct naming *n, int letter, const char *argument)
{
    if (letter != 'n' && letter != 'N' && letter != NAMING_HOSTS)
        return false;
    n->asked = letter != 'n';
    if (letter == NAMING_HOSTS)
        n->hosts = argument;
    return true;
}

int naming_open(struct naming *n, struct error *error)
{
    return n->asked ? names_open(&n->names, &(struct names_files){ .hosts = n->hosts }, error) : 0;
}

void naming_close(struct naming *n)
{
    names_close(n->names);
    n->names = NULL;
}
