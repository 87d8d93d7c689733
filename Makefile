# slipway: one build, no configure step. `make help` lists what there is.
# MODE picks the build folder: release (default), asan (with ubsan), ubsan, tsan, cover, fuzz.
# V=1 shows the commands. What the build stands on is listed in tools/packages.
MODE ?= release
OUT := build/$(MODE)
CC := gcc
CXX := g++
PKGS := libuv sqlite3 jansson yaml-0.1 zlib libcrypto libcurl libseccomp hiredis
LLHTTP := $(wildcard /usr/share/llhttp/*.c)
ORT_VERSION := 1.28.0
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += --no-print-directory -j$(shell nproc)
endif
MAKEFLAGS += -r
Q := $(if $(V),,@)

WARN := -Wall -Wextra -Wshadow -Wconversion -Wvla -Walloca -Werror
BASE := -g -ffp-contract=off -D_GNU_SOURCE -Isrc -I/usr/share/include/llhttp -fno-omit-frame-pointer
FLAGS_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_ubsan := -O1 -fsanitize=undefined -fno-sanitize-recover=all
FLAGS_tsan := -O1 -fsanitize=thread
FLAGS_cover := -O0 --coverage -fprofile-update=atomic
FLAGS_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ifeq ($(MODE),fuzz)
CC := clang-14
CXX := clang++-14
WARN := -Wall -Wextra -Werror
else ifneq ($(MODE),release)
WARN := -w # gcc's warnings misfire on instrumented code; the release build is the judge
endif
ifeq ($(FLAGS_$(MODE)),)
$(error MODE=$(MODE) is none of release asan ubsan tsan cover fuzz)
endif
CFLAGS = -std=c17 $(BASE) $(FLAGS_$(MODE)) $(WARN) -fexceptions
CXXFLAGS = -std=c++17 $(BASE) $(FLAGS_$(MODE)) $(WARN) -fno-rtti

SRC := $(wildcard src/*.c src/*/*.c src/*/*/*.c)
CXXSRC := $(wildcard src/*/*.cc)
OBJ := $(SRC:src/%=$(OUT)/%.o) $(CXXSRC:src/%=$(OUT)/%.o) \
       $(LLHTTP:/usr/share/llhttp/%.c=$(OUT)/llhttp/%.o)
OBJ += $(if $(filter tsan,$(MODE)),$(OUT)/openat.o)
LIB := $(OUT)/libslipway.a
BIN := $(OUT)/slipway
built = $(patsubst test/$1/%.c,$(OUT)/$1/%,$(wildcard test/$1/*_test.c))
UNIT := $(call built,unit)
FUZZERS := $(patsubst test/fuzz/%_fuzz.c,$(OUT)/fuzz/%,$(wildcard test/fuzz/*_fuzz.c))
ORT := build/deps/onnxruntime/version-$(ORT_VERSION)
VENV := build/deps/venv/ready
NODE := build/deps/node/ready
FUZZ = $(MAKE) -s MODE=fuzz fuzzers

.PHONY: all bin deps deps-test deps-bench test check unit race sim asan ubsan tsan fuzz fuzzers \
        fuzz-smoke fuzz-30 bench bench-check bench-peers terms cancels bars timing isolation schemathesis lint fmt cover demo docs conformance help clean new-engine
all: bin $(ORT)         ## build the program: ./slipway
ifeq ($(MODE),release)
bin: $(BIN)
	@ln -sfn $(BIN) slipway
else
bin: $(BIN)
endif

# The libraries' flags live in build/deps.mk. make writes it first, installing what is missing, and
# then starts over with it: so the first `make` on a bare machine works like every other.
ifneq ($(filter-out help clean fmt,$(or $(MAKECMDGOALS),all)),)
include build/deps.mk
endif
build/deps.mk: tools/deps tools/packages
	@tools/deps build
	@mkdir -p build
	@pkg-config --cflags --libs $(PKGS) >/dev/null
	@echo "PKG_CFLAGS := $$(pkg-config --cflags $(PKGS))" >$@.new
	@echo "PKG_LIBS := $$(pkg-config --libs $(PKGS))" >>$@.new
	@mv $@.new $@
LIBS = $(PKG_LIBS) -lpthread -ldl -lm -lstdc++ -Wl,-z,relro,-z,now

$(OUT)/%.c.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC $<";) $(CC) $(CFLAGS) -Wmissing-prototypes $(PKG_CFLAGS) -MMD -MP -c $< -o $@
$(OUT)/%.cc.o: src/%.cc Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CXX $<";) $(CXX) $(CXXFLAGS) -MMD -MP -c $< -o $@
$(OUT)/llhttp/%.o: /usr/share/llhttp/%.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 $(BASE) $(FLAGS_$(MODE)) -w -c $< -o $@
$(OUT)/openat.o: test/tsan/openat.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@
$(LIB): $(filter-out $(OUT)/main.c.o,$(OBJ))
	@rm -f $@
	$(Q)ar rcs $@ $^
$(BIN): $(OUT)/main.c.o $(LIB)
	$(if $(V),,@echo "  LD $@";) $(CC) $(FLAGS_$(MODE)) $^ $(LIBS) -o $@
$(OUT)/fuzz/%: test/fuzz/%_fuzz.c $(LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@";) $(CC) $(CFLAGS) -Itest -fsanitize=fuzzer -MMD -MP $< $(LIB) $(LIBS) -o $@
$(OUT)/%_test: test/%_test.c $(LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@";) $(CC) $(CFLAGS) -Itest -MMD -MP $< $(LIB) $(LIBS) -o $@
$(OUT)/%_bench: bench/%_bench.c $(LIB)
	$(if $(V),,@echo "  LD $@";) $(CC) $(CFLAGS) -MMD -MP $< $(LIB) $(LIBS) -o $@

$(ORT): | build/deps.mk
	@tools/deps onnxruntime $(ORT_VERSION) $(@D)
$(VENV): tools/requirements.txt | build/deps.mk
	@tools/deps venv $< $(@D)
$(NODE): tools/node/package-lock.json | build/deps.mk
	@tools/deps node $< $(@D)

deps:                   ## install what building and running needs (nothing to do: nothing done)
	@tools/deps build
	@$(MAKE) -s $(ORT)
deps-test: deps         ## install what the tests need as well
	@tools/deps test
	@$(MAKE) -s $(VENV) $(NODE)
deps-bench: deps        ## install what the benchmarks need as well
	@tools/deps bench

test: deps-test         ## install what is missing, build, run every test: `N passed, N failed`
	@tools/run-tests lint unit unit-asan unit-tsan path path-release client fault sim live race fuzz
check: deps             ## the quick half of `make test`, under a minute
	@tools/run-tests lint unit path
unit: $(UNIT)           ## the unit tests alone; MODE=asan and TEST_FILTER=word work
	@tools/run-each $(UNIT)
race sim: bin           ## the storms (make MODE=tsan race), the simulations (make sim)
	@$(if $(call built,$@),$(MAKE) $(call built,$@))
	@tools/run-each $(call built,$@) $(wildcard test/$@/*_test.py test/$@/*_test.sh)
asan ubsan tsan: deps-test ## unit, path, fault and race tests under one sanitizer
	@MODE=$@ tools/run-tests unit path fault race
fuzz: deps-test         ## fuzz one target for so many seconds: make fuzz T=http1 S=60
	@+$(FUZZ) && tools/fuzz $(or $(S),60) $(or $(T),$(FUZZERS:$(OUT)/fuzz/%=%))
fuzz-smoke: deps-test   ## run every fuzz corpus once
	@+$(FUZZ) && tools/fuzz 0 $(FUZZERS:$(OUT)/fuzz/%=%)
fuzz-30: deps-test      ## fuzz every target for 30 seconds
	@+$(FUZZ) && tools/fuzz 30 $(FUZZERS:$(OUT)/fuzz/%=%)
fuzzers: $(FUZZERS)
conformance: deps-test all ## every ONNX test model through the running daemon
	@test/conformance/onnx_models.py
bench: deps-bench all   ## measure, print a table; T=OV-01 one overload bar, T=OV all (docs/load.md)
	@$(if $(T),bench/overload/bars.py $(filter-out OV,$(T)) $(if $(RUNS),--runs $(RUNS)),bench/run)
terms: all              ## OV-23: SIGTERM under load, N=1000 times; no request may be lost
	@TIMES=$(or $(N),1000) bench/overload/bars.py --runs 1 OV-23
cancels: deps-test      ## OV-24: N=100000 clients that hang up, under two sanitizers
	@$(MAKE) MODE=asan bin
	@TIMES=$(or $(N),100000) SLIPWAY_BIN=build/asan/slipway bench/overload/bars.py --runs 1 OV-24
	@$(MAKE) MODE=tsan bin
	@TIMES=$(or $(N),100000) SLIPWAY_BIN=build/tsan/slipway bench/overload/bars.py --runs 1 OV-24
bench-peers: deps-bench all ## slipway beside other servers, installed under build/peers: T=word picks some
	@bench/peers/peers.py $(T)
bench-check: deps-bench all ## instructions of the request path: 3 % over bench/baseline.txt fail
	@bench/path_cost.py
timing: all             ## does the time tell what a tenant must not know? 100,000 requests of each
	@TIMING=100000 test/path/timing_test.py
isolation: deps-test    ## N=100000 mixed requests of two tenants under two sanitizers: no canary crosses
	@$(MAKE) MODE=asan bin
	@ISOLATION=$(or $(N),100000) SLIPWAY_BIN=build/asan/slipway test/path/isolation_test.py
	@$(MAKE) MODE=tsan bin
	@ISOLATION=$(or $(N),100000) SLIPWAY_BIN=build/tsan/slipway test/path/isolation_test.py
schemathesis: deps-test all ## a hundred examples of each route against the OpenAPI document: some minutes
	@SCHEMATHESIS_EXAMPLES=$(or $(N),100) SCHEMATHESIS_SEED=$(or $(SEED),7) TEST_SECONDS=3600 \
	  tools/run-each test/client/schemathesis_test.py
bars: all               ## measure what releases promise, B1 to B12, in full: a quarter of an hour
	@nice -n 10 $(BIN) simulate --bars
lint: build/deps.mk     ## layers, budgets, banned calls, opening comments, tables
	@python3 tools/lint
	@tools/catalogue
FORMATTED = $(wildcard src/*.[ch] src/*/*.[ch] src/*/*/*.[ch] src/*/*.cc test/*.h test/*/*.[ch])
fmt:                    ## clang-format everything, wrap long comments
	@clang-format-14 -i $(FORMATTED)
	@python3 tools/wrap $(FORMATTED)
cover: deps-test        ## line coverage of each room, lowest first; fails under 85 %
	@tools/cover 85
demo: all               ## serve real models, predict real data, print URLs to try
	@$(BIN) demo
docs:                   ## write docs/TABLES.md from the tables in src, and docs/CATALOGUE.md's tests
	@python3 tools/docs
	@tools/catalogue --write
new-engine:             ## start a new engine from the template: make new-engine NAME=x
	@tools/new-engine $(NAME)
help:                   ## this list
	@awk -F':.*## ' '/^[a-z].*:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' Makefile
clean:                  ## remove what was built; downloads in build/deps stay
	rm -rf slipway $(filter-out build/deps,$(wildcard build/*))
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
