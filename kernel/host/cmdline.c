// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of an app kernel: takes a user's line apart as next_arg() in
 * lib/cmdline.c of Linux does it, refuses what the table (cmdline_table.c)
 * refuses, and adds what it adds. Not for words of the initramfs or of init:
 * those are the app kernel's own matter.
 */
#ifdef __KERNEL__
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

#include "cmdline.h"

struct word {
	const char *raw;
	size_t raw_length;
	const char *name;
	size_t name_length;
	const char *value;	/* NULL if there is none */
	size_t value_length;
	bool unbalanced;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* As next_arg(), but without writing; false at the end of the line. */
static bool next_word(const char **line, struct word *word)
{
	const char *args = *line;
	size_t i, equals = 0, end;
	bool in_quote = false, quoted;

	while (is_space(*args))
		args++;
	if (!*args)
		return false;
	word->raw = args;
	quoted = *args == '"';
	if (quoted) {
		args++;
		in_quote = true;
	}
	for (i = 0; args[i] && (in_quote || !is_space(args[i])); i++) {
		if (!equals && args[i] == '=')
			equals = i;
		if (args[i] == '"')
			in_quote = !in_quote;
	}
	word->raw_length = args + i - word->raw;
	word->unbalanced = in_quote;
	*line = args + i;

	end = i;
	if (i && args[i - 1] == '"' && (quoted || (equals && args[equals + 1] == '"')))
		end = i - 1;
	word->name = args;
	word->name_length = equals ? equals : end;
	word->value = NULL;
	word->value_length = 0;
	if (equals) {
		size_t start = equals + 1 + (args[equals + 1] == '"');

		word->value = args + start;
		word->value_length = end > start ? end - start : 0;
	}
	return true;
}

static char same(char c)
{
	return c == '-' ? '_' : c;
}

static bool begins_with(const char *text, size_t length, const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (i == length || same(text[i]) != same(name[i]))
			return false;
	return true;
}

static bool equal(const char *text, size_t length, const char *name)
{
	return strlen(name) == length && begins_with(text, length, name);
}

/* The word behind which all belongs to init. */
static bool is_separator(const struct word *word)
{
	return !word->value && word->name_length == 2 &&
	       !memcmp(word->name, "--", 2);
}

static const struct mk_word *find_row(const struct word *word)
{
	const struct mk_word *row, *table;
	size_t i, count;

	table = mk_cmdline_table(&count);
	for (i = 0; i < count; i++) {
		row = &table[i];
		if (row->prefix ?
		    begins_with(word->name, word->name_length, row->name) :
		    equal(word->name, word->name_length, row->name))
			return row;
	}
	return NULL;
}

static bool names_own_module(const struct word *word)
{
	const char *at = word->value, *end = at + word->value_length, *comma;

	while (at < end) {
		for (comma = at; comma < end && *comma != ','; comma++)
			;
		if (equal(at, comma - at, MK_WORD_OWN_MODULE))
			return true;
		at = comma + 1;
	}
	return false;
}

/* Our words follow in the same line: no value may end its own word. */
static bool is_list(const struct word *word)
{
	size_t i;

	for (i = 0; i < word->value_length; i++)
		if (is_space(word->value[i]) || word->value[i] == '"')
			return false;
	return true;
}

/*
 * Any other name may be one of an early console, which drives a serial port at
 * the moment it is read (setup_earlycon() in drivers/tty/serial/earlycon.c).
 */
static bool names_terminal(const struct word *word)
{
	static const char * const terminals[] = { "hvc", "tty", "null" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(terminals); i++)
		if (begins_with(word->value, word->value_length, terminals[i]))
			return true;
	return !word->value_length;
}

static bool refused(const struct mk_word *row, const struct word *word)
{
	switch (row->rule) {
	case MK_WORD_CONSOLE:
		return word->value && !names_terminal(word);
	case MK_WORD_MERGED:
		return word->value && (!is_list(word) || names_own_module(word));
	default:
		return true;
	}
}

/* The decompressor, too, looks for a serial port: not as early, but anywhere. */
static bool refused_anywhere(const struct mk_word *row, const struct word *word)
{
	if (row->rule == MK_WORD_CONSOLE)
		return word->value &&
		       begins_with(word->value, word->value_length, "uart");
	return row->rule == MK_WORD_NOWHERE;
}

static int refuse(const struct word *word, const struct mk_word *row,
		  char *message, size_t size)
{
	snprintf(message, size,
		 "the word '%.*s' on the command line is refused: %s",
		 (int)(word->raw_length < 64 ? word->raw_length : 64), word->raw,
		 row->why);
	return -EINVAL;
}

/* What can be said without taking quotes and "--" into account. */
static int check_text(const char *user, char *message, size_t size)
{
	const char *at;

	for (at = user; *at; at++) {
		const struct mk_word *row;
		struct word word = {};

		if ((unsigned char)*at >= 0x7f || (*at < 0x20 && *at != '\t')) {
			snprintf(message, size,
				 "the command line has a character that is not printable ASCII at offset %u",
				 (unsigned int)(at - user));
			return -EINVAL;
		}
		if (is_space(*at) || (at > user && !is_space(at[-1])))
			continue;
		word.raw = at;
		word.raw_length = strcspn(at, " \t");
		word.name = at;
		word.name_length = strcspn(at, "= \t");
		if (at[word.name_length] == '=') {
			word.value = at + word.name_length + 1;
			word.value_length = word.raw_length - word.name_length - 1;
		}
		row = find_row(&word);
		if (row && refused_anywhere(row, &word))
			return refuse(&word, row, message, size);
	}
	return 0;
}

/* Grows a string in a buffer; once it did not fit, it stays full. */
struct text {
	char *at;
	size_t left;	/* including the final NUL */
	bool full;
};

static void append(struct text *text, const char *bytes, size_t count)
{
	if (count >= text->left) {
		text->full = true;
		return;
	}
	memcpy(text->at, bytes, count);
	text->at += count;
	text->left -= count;
	*text->at = '\0';
}

static void append_word(struct text *text, const char *bytes, size_t count)
{
	append(text, bytes, count);
	append(text, " ", 1);
}

static void append_modules(struct text *text, const char *user)
{
	struct word word;

	while (next_word(&user, &word)) {
		const struct mk_word *row = find_row(&word);

		if (is_separator(&word))
			break;
		if (!row || row->rule != MK_WORD_MERGED || !word.value_length)
			continue;
		append(text, ",", 1);
		append(text, word.value, word.value_length);
	}
	append(text, " ", 1);
}

static void append_forced(struct text *text, const char *user)
{
	const struct mk_word *row, *table;
	size_t i, count;

	table = mk_cmdline_table(&count);
	for (i = 0; i < count; i++) {
		row = &table[i];
		if (!row->forced)
			continue;
		if (row->rule == MK_WORD_MERGED) {
			append(text, row->name, strlen(row->name));
			append(text, "=", 1);
			append(text, row->forced, strlen(row->forced));
			append_modules(text, user);
		} else {
			append_word(text, row->forced, strlen(row->forced));
		}
	}
}

/**
 * mk_cmdline_build - check a user's command line and add what is ours
 * @to: out: the whole command line
 * @size: of @to
 * @user: the user's words
 * @added: words that the module adds behind those of the table
 * @message: out: a sentence, on failure
 * @message_size: of @message
 *
 * Return: 0 or -EINVAL.
 */
int mk_cmdline_build(char *to, size_t size, const char *user, const char *added,
		     char *message, size_t message_size)
{
	struct text text = { .at = to, .left = size };
	const char *rest = user;
	struct word word;
	int ret;

	ret = check_text(user, message, message_size);
	if (ret)
		return ret;
	while (next_word(&rest, &word)) {
		const struct mk_word *row = find_row(&word);

		if (is_separator(&word)) {
			rest = word.raw;
			break;
		}
		if (row && refused(row, &word))
			return refuse(&word, row, message, message_size);
		if (word.unbalanced) {
			snprintf(message, message_size,
				 "the command line has a quotation mark too few");
			return -EINVAL;
		}
		if (!row || row->rule != MK_WORD_MERGED)
			append_word(&text, word.raw, word.raw_length);
	}
	append_forced(&text, user);
	append(&text, added, strlen(added));
	if (*rest) {
		append(&text, " ", 1);
		append(&text, rest, strlen(rest));
	}
	if (!text.full)
		return 0;
	snprintf(message, message_size,
		 "the command line is too long: with the module's words it may have %u characters",
		 (unsigned int)size - 1);
	return -EINVAL;
}

/* As simple_strtoull() with base 0 reads it; no overflow matters here. */
static long number(const char *text, size_t length)
{
	unsigned int base = 10, digit;
	unsigned long value = 0;
	size_t i = 0;

	if (length && text[0] == '0') {
		base = 8;
		if (length > 1 && (text[1] | 0x20) == 'x') {
			base = 16;
			i = 2;
		}
	}
	for (; i < length; i++) {
		if (text[i] >= '0' && text[i] <= '9')
			digit = text[i] - '0';
		else if ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'f')
			digit = (text[i] | 0x20) - 'a' + 10;
		else
			break;
		if (digit >= base)
			break;
		value = value * base + digit;
	}
	return value;
}

/**
 * mk_cmdline_number - the last value of a word on a kernel's command line
 * @line: the command line
 * @name: the word
 *
 * Return: its value as a number; 0 if it is absent or has none.
 */
long mk_cmdline_number(const char *line, const char *name)
{
	long value = 0;
	struct word word;

	while (next_word(&line, &word)) {
		if (is_separator(&word))
			break;
		if (equal(word.name, word.name_length, name))
			value = number(word.value, word.value_length);
	}
	return value;
}
