/* Compressed captures, decompressed as they are read: gzip (also of several members) and zstd (also of several
 * frames). Memory is bounded by the formats' windows: 32 KiB for gzip, at most 128 MiB for zstd. */
#pragma once
#include "capture/block_reader.h"

struct decompress;

/* Whether what begins like this (up to four bytes) is compressed in a way that we know. */
bool decompress_knows(struct span beginning);

/* A decompressor of what stands in `input`, which must have been found to be known and stays the caller's. Owned by
 * the caller. Returns 0 or ERROR_MEMORY. */
int decompress_open(struct decompress **d, struct block_reader *input);
void decompress_close(struct decompress *d);

/* The decompressed bytes (context: struct decompress *). Fails with ERROR_DAMAGED where the compressed data is damaged
 * or ends too soon, after all that could be decompressed was handed out. */
block_source decompress_source;
