// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memcheck - look for writes into memory that nobody should write to.
 *
 *   memcheck MIB SECONDS      (SECONDS 0: until SIGTERM)
 *
 * Takes memory in pieces, fills each with a pattern made of its address and a round number, checks
 * the older pieces, and gives the oldest back for others to use. So pages that were receive
 * buffers a moment ago come by, and a late write into one of them shows. Prints a JSON line:
 *   {"rounds":N,"bytes_checked":N,"bad_words":N,"first_bad":"..."}
 * and exits 1 when a word was wrong.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PIECE	   (1u << 20)
#define PIECES_MAX 4096

static volatile sig_atomic_t stop;

struct piece {
	uint64_t *words;
	uint64_t seed;
};

static uint64_t bad, checked;
static char first_bad[96];

static void on_term(int sig)
{
	stop = 1;
}

static uint64_t pattern(uint64_t seed, size_t i)
{
	return (seed + i) * 0x9e3779b97f4a7c15ull;
}

static int fill(struct piece *p, uint64_t seed)
{
	p->words = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->words == MAP_FAILED)
		return -1;
	p->seed = seed;
	for (size_t i = 0; i < PIECE / 8; i++)
		p->words[i] = pattern(seed, i);
	return 0;
}

static void check(const struct piece *p)
{
	for (size_t i = 0; i < PIECE / 8; i++) {
		uint64_t word = *(const volatile uint64_t *)&p->words[i];

		if (word == pattern(p->seed, i))
			continue;
		if (!bad)
			snprintf(first_bad, sizeof(first_bad), "offset %zu is %016llx not %016llx",
				 i * 8, (unsigned long long)word,
				 (unsigned long long)pattern(p->seed, i));
		bad++;
	}
	checked += PIECE;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static struct piece pieces[PIECES_MAX];
	unsigned int n = argc > 1 ? (unsigned int)atoi(argv[1]) : 0;
	double end = argc > 2 && atof(argv[2]) > 0 ? now() + atof(argv[2]) : 0;
	uint64_t rounds = 0;

	if (argc != 3 || !n || n > PIECES_MAX) {
		fprintf(stderr, "usage: memcheck MIB SECONDS\n");
		return 2;
	}
	signal(SIGTERM, on_term);
	signal(SIGINT, on_term);
	for (unsigned int i = 0; i < n; i++) {
		if (fill(&pieces[i], i * (uint64_t)PIECE)) {
			perror("memcheck: mmap");
			return 2;
		}
	}
	do {
		struct piece *oldest = &pieces[rounds % n];

		check(oldest);
		munmap(oldest->words, PIECE);
		rounds++;
		if (fill(oldest, (n + rounds) * PIECE)) {
			perror("memcheck: mmap");
			return 2;
		}
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	} while (!stop && (!end || now() < end));
	for (unsigned int i = 0; i < n; i++)
		check(&pieces[i]);
	printf("{\"rounds\":%llu,\"bytes_checked\":%llu,\"bad_words\":%llu,\"first_bad\":\"%s\"}\n",
	       (unsigned long long)rounds, (unsigned long long)checked, (unsigned long long)bad,
	       first_bad);
	return bad ? 1 : 0;
}
