// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of an app kernel: each row of the table once, buffers of each
 * size, and the same words as the kernel's own parser finds. Which words a row
 * means is in tests/unit/kernel/.
 */
#include <linux/ctype.h>
#include <linux/slab.h>

#include "cmdline.h"
#include "suites.h"

#define LINE_BYTES	2048

static int build(struct kunit *test, const char *user, size_t size, char *message,
		 size_t message_size)
{
	char *line = kunit_kmalloc(test, size, GFP_KERNEL);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, line);
	ret = mk_cmdline_build(line, size, user, "added=1", message, message_size);
	if (!ret)
		KUNIT_EXPECT_LT(test, strlen(line), size);
	kunit_kfree(test, line);
	return ret;
}

/* The message is cut off at any size, and never written past it. */
static void each_row_refuses_its_word(struct kunit *test)
{
	const struct mk_word *table;
	char user[96], *message;
	size_t i, count, size;

	table = mk_cmdline_table(&count);
	for (i = 0; i < count; i++) {
		snprintf(user, sizeof(user), "quiet %s%s", table[i].name,
			 table[i].rule == MK_WORD_CONSOLE ? "=uart" :
			 table[i].rule == MK_WORD_MERGED ? "=" MK_WORD_OWN_MODULE : "");
		for (size = 1; size <= 256; size = 4 * size) {
			message = kunit_kmalloc(test, size, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, message);
			KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
					    build(test, user, LINE_BYTES, message, size),
					    "%s", user);
			KUNIT_EXPECT_LT(test, strnlen(message, size), size);
			kunit_kfree(test, message);
		}
	}
}

static void line_that_fits_to_the_byte_is_built(struct kunit *test)
{
	char message[256];
	size_t size = LINE_BYTES;

	while (!build(test, "quiet -- single", size - 1, message, sizeof(message)))
		size--;
	KUNIT_EXPECT_LT(test, size, (size_t)LINE_BYTES);
	KUNIT_EXPECT_GT(test, size, sizeof("quiet added=1 -- single"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(message, "too long"));
	for (; size; size--)
		KUNIT_EXPECT_EQ(test, -EINVAL,
				build(test, "quiet -- single", size - 1, message,
				      sizeof(message)));
}

static bool dashes_equal(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	return *a == *b;
}

/* As parse_args() of kernel/params.c reads a line, which it writes to. */
static int as_the_kernel_reads(char *line, const char *name)
{
	char *param, *value, *rest = skip_spaces(line);
	int found = 0, number;

	while (*rest) {
		rest = next_arg(rest, &param, &value);
		if (!value && !strcmp(param, "--"))
			break;
		if (dashes_equal(param, name))
			found = value && *value != '-' && get_option(&value, &number) ? number : 0;
	}
	return found;
}

static void words_are_those_that_the_kernel_reads(struct kunit *test)
{
	static const char letters[] = "aa__--==\"  \t01x7";
	struct rnd_state random;
	u32 i, round, length;
	char *line, *copy;

	prandom_seed_state(&random, 1);
	for (round = 0; round < ROUNDS / 4; round++) {
		length = mk_below(&random, 24);
		line = kzalloc(length + 1, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, line);
		for (i = 0; i < length; i++)
			line[i] = letters[mk_below(&random, sizeof(letters) - 1)];
		copy = kstrdup(line, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, copy);
		KUNIT_EXPECT_EQ_MSG(test, as_the_kernel_reads(copy, "a_"),
				    (int)mk_cmdline_number(line, "a_"), "'%s'", line);
		kfree(copy);
		kfree(line);
	}
}

static struct kunit_case cmdline_cases[] = {
	KUNIT_CASE(each_row_refuses_its_word),
	KUNIT_CASE(line_that_fits_to_the_byte_is_built),
	KUNIT_CASE(words_are_those_that_the_kernel_reads),
	{}
};

struct kunit_suite mk_cmdline_suite = {
	.name = "multikernel_cmdline",
	.test_cases = cmdline_cases,
};
