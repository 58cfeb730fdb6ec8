"""Quicksort, written to be explained."""


def quicksort(numbers):
    """Return the numbers in ascending order; the list that was given stays as it is."""
    if len(numbers) <= 1:
        return list(numbers)
    pivot = numbers[len(numbers) // 2]
    smaller = [n for n in numbers if n < pivot]
    equal = [n for n in numbers if n == pivot]
    larger = [n for n in numbers if n > pivot]
    # Everything smaller goes left of the pivot, everything larger goes right of it.
    return quicksort(smaller) + equal + quicksort(larger)


if __name__ == "__main__":
    print("sorted:", quicksort([3, 6, 1, 8, 2, 9, 2]))
