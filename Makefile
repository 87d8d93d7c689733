# slipway: one build, no configure step. `make help` lists what there is.
# MODE picks the build folder: release (default), asan (with ubsan), ubsan, tsan, cover, fuzz.
MODE ?= release
OUT := build/$(MODE)
CC := gcc
CXX := g++
PKGS := libuv sqlite3 jansson yaml-0.1 zlib libcrypto libcurl
WARN := -Wall -Wextra -Wshadow -Wconversion -Werror
BASE := -g -D_GNU_SOURCE -Isrc -I/usr/share/include/llhttp -fno-omit-frame-pointer
FLAGS_release := -O2
FLAGS_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_ubsan := -O1 -fsanitize=undefined -fno-sanitize-recover=all
FLAGS_tsan := -O1 -fsanitize=thread
FLAGS_cover := -O0 --coverage
FLAGS_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ifeq ($(MODE),fuzz)
CC := clang-14
CXX := clang++-14
endif
MODE_FLAGS := $(FLAGS_$(MODE))
CFLAGS = -std=c17 $(BASE) $(MODE_FLAGS) $(WARN) -fexceptions
CXXFLAGS = -std=c++17 $(BASE) $(MODE_FLAGS) $(WARN) -fno-rtti
LIBS = $(shell pkg-config --libs $(PKGS)) -lpthread -ldl -lm -lstdc++

SRC := $(wildcard src/*.c src/*/*.c src/*/*/*.c)
CXXSRC := $(wildcard src/*/*.cc)
MAIN := src/main.c
LIBSRC := $(filter-out $(MAIN),$(SRC))
LLHTTP := $(wildcard /usr/share/llhttp/*.c)
LIBOBJ := $(LIBSRC:src/%.c=$(OUT)/%.o) $(CXXSRC:src/%.cc=$(OUT)/%.o) \
          $(LLHTTP:/usr/share/llhttp/%.c=$(OUT)/llhttp/%.o)
LIB := $(OUT)/libslipway.a
BIN := $(OUT)/slipway
UNIT := $(patsubst test/unit/%.c,$(OUT)/unit/%,$(wildcard test/unit/*_test.c))
FUZZERS := $(patsubst test/fuzz/%_fuzz.c,$(OUT)/fuzz/%,$(wildcard test/fuzz/*_fuzz.c))

.PHONY: all unit fuzzers clean
all: $(BIN)

$(OUT)/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(CFLAGS) -MMD -MP -c $< -o $@
$(OUT)/%.o: src/%.cc
	@mkdir -p $(@D)
	@echo "  CXX $<"; $(CXX) $(CXXFLAGS) -MMD -MP -c $< -o $@
$(OUT)/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	@$(CC) -std=c17 $(BASE) $(MODE_FLAGS) -w -c $< -o $@
$(LIB): $(LIBOBJ)
	@rm -f $@
	@ar rcs $@ $^
$(BIN): $(OUT)/main.o $(LIB)
	@echo "  LD $@"; $(CC) $(MODE_FLAGS) $^ $(LIBS) -o $@
$(OUT)/unit/%: test/unit/%.c $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -Itest -MMD -MP $< $(LIB) $(LIBS) -o $@
$(OUT)/fuzz/%: test/fuzz/%_fuzz.c $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -Itest -fsanitize=fuzzer $< $(LIB) $(LIBS) -o $@
unit: $(UNIT)
	@tools/run-unit $(UNIT)
fuzzers: $(FUZZERS)
clean:
	rm -rf build
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
