/* Numbers as people read them: 1,234 and 12.1 kB, 3.4 MB/s and 0.82 ms. What a program reads is written elsewhere. */
#pragma once
#include "base/buffer.h"

void human_count(struct buffer *out, uint64_t n);     /* thousands apart: 3,922,820 */
void human_bytes(struct buffer *out, uint64_t bytes); /* powers of 1000, three digits or so: 340 B, 12.1 kB, 1.3 GB */
void human_rate(struct buffer *out, double bytes_per_second);
void human_share(struct buffer *out, uint64_t part, uint64_t whole); /* 12.3, in hundredths; less than 0.05: <0.1 */
/* 812 µs, 12.1 ms, 3.42 s, 5 min 3 s, 2 h 5 min, 3 d 4 h; us instead of µs with ascii. */
void human_duration(struct buffer *out, int64_t nanoseconds, bool ascii);
