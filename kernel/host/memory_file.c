// SPDX-License-Identifier: GPL-2.0-only
/*
 * Partition memory as a file that can be mapped: for dumps, and for back ends
 * of devices. The file and its mappings keep the memory alive; they neither
 * know nor need the partition.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>

#include "compat.h"
#include "host.h"

static struct page *page_at(struct mk_memory *memory, unsigned long index)
{
	struct page *page = NULL;
	unsigned int i;

	mutex_lock(&memory->lock);
	for (i = 0; i < memory->count; i++) {
		if (index < memory->chunks[i].pages) {
			page = pfn_to_page(memory->chunks[i].pfn + index);
			break;
		}
		index -= memory->chunks[i].pages;
	}
	mutex_unlock(&memory->lock);
	return page;
}

static vm_fault_t memory_fault(struct vm_fault *fault)
{
	struct mk_memory *memory = fault->vma->vm_file->private_data;
	struct page *page = page_at(memory, fault->pgoff);

	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	fault->page = page;
	return 0;
}

static const struct vm_operations_struct memory_vm_ops = {
	.fault = memory_fault,
};

static int memory_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &memory_vm_ops;
	return 0;
}

static int memory_release(struct inode *inode, struct file *file)
{
	mk_memory_put(file->private_data);
	return 0;
}

static const struct file_operations memory_fops = {
	.owner = THIS_MODULE,
	.mmap = memory_mmap,
	.release = memory_release,
};

/**
 * mk_memory_file - make a memory file
 * @memory: what it shows; the file takes a reference
 * @call: gets the file, which the caller installs
 *
 * Return: 0 or a negative errno.
 */
int mk_memory_file(struct mk_memory *memory, struct mk_call *call)
{
	struct file *file;

	file = anon_inode_getfile("[multikernel-memory]", &memory_fops, memory,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file))
		return PTR_ERR(file);
	kref_get(&memory->ref);
	call->file = file;
	return 0;
}
