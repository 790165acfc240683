/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main() of a fuzz target without libFuzzer: it runs the files of test/fuzz once each and prints
 * TAP. One case for the whole corpus, one for each finding of the past. A file whose check fails
 * ends the program; the line before says which it was.
 *
 *   fuzz_NAME FILE|DIRECTORY...
 */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include "fuzz.h"

#pragma weak LLVMFuzzerInitialize

static unsigned int n_cases, n_inputs;

static void
run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat status;
	uint8_t *data;

	printf("# %s\n", path);
	fflush(stdout);
	if (file == NULL || fstat(fileno(file), &status) < 0) {
		perror(path);
		exit(1);
	}
	data = fuzz_alloc(status.st_size);
	if (fread(data, 1, status.st_size, file) != (size_t)status.st_size) {
		perror(path);
		exit(1);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, status.st_size);
	free(data);
	n_inputs++;
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void
run_directory(const char *path)
{
	bool findings = strstr(path, "findings") != NULL;
	struct dirent **entries;
	int n = scandir(path, &entries, is_visible, alphasort);
	char file[PATH_MAX];

	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		run_file(file);
		if (findings)
			printf("ok %u finding %s\n", ++n_cases, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (!findings)
		printf("%sok %u corpus\n", n > 0 ? "" : "not ", ++n_cases);
}

int
main(int argc, char **argv)
{
	struct stat status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &status) == 0 && !S_ISDIR(status.st_mode)) {
			run_file(argv[i]);
			printf("ok %u file\n", ++n_cases);
		} else {
			run_directory(argv[i]); /* one that is not there has no findings */
		}
	}
	printf("# runs: %u stored inputs\n1..%u\n", n_inputs, n_cases);
	return 0;
}
