// SPDX-License-Identifier: GPL-2.0-only
/*
 * Partition memory as a file that can be mapped: for dumps, and for back ends
 * of devices. A file shows the ranges that there were when it was made, so that an
 * offset means the same page all the time; a page that the partition does not own
 * any more cannot be mapped anew. Files and mappings keep the memory alive; they
 * neither know nor need the partition.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "host.h"

/* What a memory file points to. */
struct view {
	struct mk_memory *memory;
	unsigned int count;
	struct mk_chunk chunks[];
};

static bool find(const struct view *view, unsigned long index, unsigned long *pfn)
{
	unsigned int i;

	for (i = 0; i < view->count; i++) {
		if (index < view->chunks[i].pages) {
			*pfn = view->chunks[i].pfn + index;
			return true;
		}
		index -= view->chunks[i].pages;
	}
	return false;
}

static vm_fault_t memory_fault(struct vm_fault *fault)
{
	const struct view *view = fault->vma->vm_file->private_data;
	unsigned long pfn;
	bool owned;

	if (!find(view, fault->pgoff, &pfn))
		return VM_FAULT_SIGBUS;
	mutex_lock(&view->memory->lock);
	owned = mk_chunks_find(&view->memory->owned, pfn, 1);
	if (owned)
		get_page(pfn_to_page(pfn));
	mutex_unlock(&view->memory->lock);
	if (!owned)
		return VM_FAULT_SIGBUS;
	fault->page = pfn_to_page(pfn);
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
	struct view *view = file->private_data;

	mk_memory_put(view->memory);
	kvfree(view);
	return 0;
}

static const struct file_operations memory_fops = {
	.owner = THIS_MODULE,
	.mmap = memory_mmap,
	.release = memory_release,
};

static struct view *view_of(struct mk_memory *memory)
{
	struct view *view;

	mutex_lock(&memory->lock);
	view = kvmalloc(struct_size(view, chunks, memory->owned.count), GFP_KERNEL);
	if (view) {
		view->memory = memory;
		view->count = memory->owned.count;
		memcpy(view->chunks, memory->owned.at,
		       flex_array_size(view, chunks, view->count));
		kref_get(&memory->ref);
	}
	mutex_unlock(&memory->lock);
	return view;
}

/**
 * mk_memory_file - make a memory file
 * @memory: what it shows; the file takes a reference
 * @call: gets the file, which the caller installs
 *
 * Return: 0 or a negative errno.
 */
int mk_memory_file(struct mk_memory *memory, struct mk_call *call)
{
	struct view *view = view_of(memory);
	struct file *file;

	if (!view)
		return -ENOMEM;
	file = anon_inode_getfile("[multikernel-memory]", &memory_fops, view,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		mk_memory_put(memory);
		kvfree(view);
		return PTR_ERR(file);
	}
	call->file = file;
	return 0;
}
