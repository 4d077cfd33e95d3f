/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which words may be on the command line of an app kernel. Pure logic: it is
 * compiled for user space, too, where tests/unit/kernel/ tests each row.
 */
#ifndef MK_HOST_CMDLINE_H
#define MK_HOST_CMDLINE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#endif

#define MK_WORD_OWN_MODULE	"multikernel_app"

enum mk_word_rule {
	MK_WORD_REFUSED,	/* refused in front of "--" */
	MK_WORD_NOWHERE,	/* refused behind it, too, and inside of quotes */
	MK_WORD_CONSOLE,	/* MK_WORD_REFUSED unless it names a terminal */
	MK_WORD_MERGED,		/* a list of modules; joined with ours */
};

/**
 * struct mk_word - one row of the table
 * @name: the word, up to "="; "-" and "_" are the same
 * @prefix: every word that begins with @name is meant
 * @rule: what becomes of it
 * @forced: what the module adds, or NULL
 * @why: ends the sentence "the word '...' is refused: "
 */
struct mk_word {
	const char *name;
	bool prefix;
	enum mk_word_rule rule;
	const char *forced;
	const char *why;
};

const struct mk_word *mk_cmdline_table(size_t *count);
int mk_cmdline_build(char *to, size_t size, const char *user, const char *added,
		     char *message, size_t message_size);
long mk_cmdline_number(const char *line, const char *name);

#endif /* MK_HOST_CMDLINE_H */
