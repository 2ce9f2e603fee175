"""The k-th largest of an array, in place: expected linear time, no allocation."""

from dadao_sim.compiled.kernel import kernel


@kernel
def largest(values, k):
    """The k-th largest (k = 1, ..., d) of ``values`` (d,), whose order is changed (Hoare 1961)."""
    place = values.shape[0] - k
    low, high = 0, values.shape[0] - 1
    while low < high:
        a, b, c = values[low], values[(low + high) // 2], values[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            break  # all between j and i equal the pivot
    return values[place]
