// The search of v6.8 slot by slot, as compiled code: the reference of kernel.mjs, from spec, not from the kernel.
// Reads calls (device, size or 0, cpu, address; doubles) and prints nanoseconds of all and a checksum.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SHIFT = 11, SEGMENT = 128, AREAS = 4, PAGE = 4096 };

struct slot {
	uint64_t orig;
	uint64_t size;
	uint32_t free;
};

static const uint64_t masks[] = { 0xfff, 0xfff, 0, 0 };
static const uint64_t base = 0x80000000;
static struct slot *slots;
static uint32_t start[AREAS], used[AREAS], area_slots;

static uint32_t slots_of(uint64_t bytes)
{
	return (bytes + (1 << SHIFT) - 1) >> SHIFT;
}

static int64_t find(uint32_t area, uint64_t orig, uint64_t size, uint64_t mask)
{
	uint64_t align = (size >= PAGE ? mask | (PAGE - 1) : mask) & ~(uint64_t)((1 << SHIFT) - 1);
	uint32_t count = slots_of(size), stride = (align >> SHIFT) + 1, index = start[area];

	if (area_slots - used[area] < count)
		return -1;
	for (uint32_t checked = 0; checked < area_slots;) {
		uint64_t slot = (uint64_t)area * area_slots + index;
		uint32_t step = stride;

		if (((base + (slot << SHIFT)) & align) != (orig & align))
			step = 1;
		else if (slots[slot].free >= count)
			return slot;
		index = index + step < area_slots ? index + step : 0;
		checked += step;
	}
	return -1;
}

static void take(uint32_t area, int64_t at, uint64_t orig, uint64_t size)
{
	uint32_t count = slots_of(size), free = 0, next;

	for (uint32_t n = 0; n < count; n++) {
		slots[at + n].free = 0;
		slots[at + n].size = size - ((uint64_t)n << SHIFT);
		slots[at + n].orig = orig + ((uint64_t)n << SHIFT);
	}
	for (int64_t n = at - 1; n >= 0 && n % SEGMENT != SEGMENT - 1 && slots[n].free; n--)
		slots[n].free = ++free;
	next = at + count - (uint64_t)area * area_slots;
	start[area] = next < area_slots ? next : 0;
	used[area] += count;
}

static int64_t map(uint64_t orig, uint64_t size, uint64_t mask, uint32_t cpu)
{
	uint64_t offset = orig & mask & ((1 << SHIFT) - 1);

	for (uint32_t n = 0; n < AREAS; n++) {
		uint32_t area = (cpu + n) & (AREAS - 1);
		int64_t at = find(area, orig, size + offset, mask);

		if (at < 0)
			continue;
		take(area, at, orig, size + offset);
		return at;
	}
	return -1;
}

static void unmap(uint64_t address, uint64_t mask, int64_t nslabs)
{
	int64_t at = (address - (address & mask & ((1 << SHIFT) - 1)) - base) >> SHIFT;
	int64_t end = at + slots_of(slots[at].size);
	uint32_t free = end % SEGMENT && end < nslabs ? slots[end].free : 0;

	used[at / area_slots] -= end - at;
	for (int64_t n = end - 1; n >= at; n--) {
		slots[n].free = ++free;
		slots[n].size = 0;
		slots[n].orig = ~0ull;
	}
	for (int64_t n = at - 1; n >= 0 && n % SEGMENT != SEGMENT - 1 && slots[n].free; n--)
		slots[n].free = ++free;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 4 ? fopen(argv[1], "rb") : NULL;
	uint32_t nslabs = file ? atoi(argv[2]) : 0, calls = file ? atoi(argv[3]) : 0, sum = 0;
	double *all = malloc(calls * 4 * sizeof(*all));
	struct timespec from, to;

	slots = calloc(nslabs, sizeof(*slots));
	if (!file || !all || !slots || fread(all, 4 * sizeof(*all), calls, file) != calls)
		return 1;
	area_slots = nslabs / AREAS;
	for (uint32_t n = 0; n < nslabs; n++)
		slots[n].free = SEGMENT - n % SEGMENT;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (double *call = all; call < all + 4 * (uint64_t)calls; call += 4) {
		uint64_t mask = masks[(int)call[0]];

		if (call[1] == 0)
			unmap(call[3], mask, nslabs);
		else
			sum = sum * 31 + (uint32_t)map(call[3], call[1], mask, call[2]);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.0f %u\n", (to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec), sum);
	return 0;
}
