#include "output/xml.h"
#include "base/text.h"

static const char *entity(char character)
{
    switch (character) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    }
    return NULL;
}

void xml_text(struct buffer *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t code = 0;
        unsigned length = utf8_length((const uint8_t *)text + i, n - i, &code);
        const char *instead = entity(text[i]);
        if (instead)
            buffer_text(out, instead);
        else if (length && code >= 0x20 && code != 0x7f && (code < 0xfffe || code > 0xffff))
            buffer_put(out, text + i, length);
        else
            buffer_char(out, '?');
        i += length ? length : 1;
    }
}
