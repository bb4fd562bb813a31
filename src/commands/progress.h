/* One line on the terminal, on standard error, while a long job reads files: how far it is, and how fast. It comes
 * after a second, is drawn anew four times a second at most, and is gone again before anything else is written. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* A reading begins. Nothing shows where standard error is no terminal or standard output a pipe; where that is a
 * terminal, only for a command that is silent until its end, and until it writes. size: bytes of all files, 0: not
 * known. False: nothing will show. */
bool progress_begin(bool silent, uint64_t size);
/* So many bytes of the file that is being read: to be called now and then, not for each packet. */
void progress_at(uint64_t bytes);
/* The file has been read, and had so many. */
void progress_file(uint64_t bytes);
/* The line goes, and does not come again before the next progress_begin. */
void progress_end(void);
