// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fomit-frame-pointer
 *
 * C++: exceptions, destructors while one is under way, virtual calls, lambdas, templates, what is
 * constructed before main. See stack_shadow.h.
 */
#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "stack_shadow.h"

namespace
{

volatile unsigned int some = 7;

/* Leaves also when an exception passes. */
class Entered
{
      public:
	explicit Entered(const char *name)
	{
		shadow_push(name);
	}
	~Entered()
	{
		shadow_pop();
	}
	Entered(const Entered &) = delete;
	Entered &operator=(const Entered &) = delete;
};

NOINLINE void s_leaf(std::size_t bytes)
{
	Entered entered("s_leaf");
	ALLOCATE(bytes);
}

NOINLINE void s_new(std::size_t bytes)
{
	Entered entered("s_new");
	shadow_note(__LINE__, ::operator new(bytes), bytes);
}

/* Leaves its mark on what is built before main. */
struct s_static {
	s_static()
	{
		Entered entered("s_static");
		shadow_begin();
		s_leaf(50021);
	}
};

s_static before_main;

struct base {
	virtual ~base() = default;
	virtual void s_virtual(std::size_t bytes) = 0;
};

struct derived final : base {
	NOINLINE void s_virtual(std::size_t bytes) override
	{
		Entered entered("s_virtual");
		s_leaf(bytes);
	}
};

NOINLINE void s_calls_virtual(base &object, std::size_t bytes)
{
	Entered entered("s_calls_virtual");
	object.s_virtual(bytes);
}

class s_guard
{
      public:
	explicit s_guard(std::size_t bytes) : bytes_(bytes)
	{
	}
	NOINLINE ~s_guard()
	{
		Entered entered("~s_guard");
		s_leaf(bytes_);
	}
	s_guard(const s_guard &) = delete;
	s_guard &operator=(const s_guard &) = delete;

      private:
	std::size_t bytes_;
};

NOINLINE void s_throws(unsigned int depth)
{
	Entered entered("s_throws");
	if (depth)
		s_throws(depth - 1);
	else
		throw std::runtime_error("as meant");
	some = some + 1;
}

NOINLINE void s_guarded(std::size_t bytes)
{
	Entered entered("s_guarded");
	s_guard guard(bytes);
	s_throws(some % 3);
}

NOINLINE void s_catches(std::size_t in_destructor, std::size_t in_handler)
{
	Entered entered("s_catches");
	try {
		s_guarded(in_destructor);
	} catch (const std::exception &) {
		s_leaf(in_handler);
	}
}

NOINLINE void s_rethrows(std::size_t bytes)
{
	Entered entered("s_rethrows");
	try {
		s_throws(1);
	} catch (const std::exception &) {
		s_leaf(bytes);
		throw;
	}
}

NOINLINE void s_catches_again(std::size_t bytes, std::size_t outside)
{
	Entered entered("s_catches_again");
	try {
		s_rethrows(bytes);
	} catch (const std::exception &) {
		s_new(outside);
	}
}

NOINLINE void s_function(const std::function<void(std::size_t)> &f, std::size_t bytes)
{
	Entered entered("s_function");
	f(bytes);
}

NOINLINE void s_lambda(std::size_t bytes)
{
	Entered entered("s_lambda");
	unsigned int kept = some;
	s_function(
		[kept](std::size_t n) {
			Entered inner("operator()");
			s_leaf(n + kept - kept);
		},
		bytes);
}

template <typename T> NOINLINE void s_template(T bytes)
{
	Entered entered("s_template");
	s_leaf(static_cast<std::size_t>(bytes));
}

struct s_nested {
	template <int N> struct inner {
		static NOINLINE void s_method(std::size_t bytes)
		{
			Entered entered("s_method");
			s_template<std::size_t>(bytes);
		}
	};
};

NOINLINE bool s_before(int a, int b, std::size_t *bytes)
{
	Entered entered("s_before");
	std::size_t n = *bytes;
	*bytes = 0;
	if (n)
		s_leaf(n);
	return a < b;
}

NOINLINE void s_sort(std::size_t bytes)
{
	Entered entered("s_sort");
	int numbers[] = { 13, 7, 11, 2, 5, 3, 17 };
	std::sort(std::begin(numbers), std::end(numbers), [&bytes](int a, int b) {
		Entered inner("operator()");
		return s_before(a, b, &bytes);
	});
	some = some + static_cast<unsigned int>(numbers[0] & 1);
}

SHADOW_INLINE void s_inlined(std::size_t bytes)
{
	Entered entered("s_inlined");
	s_new(bytes);
}

NOINLINE void s_unique(std::size_t bytes)
{
	Entered entered("s_unique");
	std::unique_ptr<derived> object(new derived);
	s_calls_virtual(*object, bytes);
	s_inlined(bytes + 6);
}

NOINLINE void s_run()
{
	Entered entered("s_run");
	derived object;

	s_calls_virtual(object, 50023);
	s_catches(50033, 50047);
	s_catches_again(50051, 50053);
	s_lambda(50069);
	s_template<long>(50077);
	s_nested::inner<7>::s_method(50087);
	s_sort(50093);
	s_new(50101);
	s_unique(50123); /* and 50129 */
}

} /* namespace */

int main()
{
	shadow_push("main");
	s_run();
	shadow_pop();
	shadow_tell("");
	return 0;
}
