<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Config;

use Reasno\GoTask\Exception\InvalidConfiguration;
use Throwable;

use function array_filter;
use function array_values;
use function in_array;
use function is_array;
use function is_float;
use function is_int;
use function is_scalar;
use function is_string;
use function strlen;

/**
 * A part of the configuration file, read with types. Keys that are still unread in the end are unknown: end() reports them.
 *
 * Numbers may be written as text, which is what comes from the environment, and flags as 1 and 0. Null stands for the default, and so
 * does an empty text: that is what env() gives for a variable that is set to nothing.
 *
 * @internal
 */
final class Section
{
    /** @var array<array-key, mixed> */
    private array $left;

    /** @var list<string> the keys that there are */
    private array $known = [];

    /** @var list<self> */
    private array $sections = [];

    /**
     * @param string $path of its key, such as `gotask.default.pool`
     * @param array<array-key, mixed> $values
     */
    public function __construct(private readonly string $path, array $values)
    {
        $this->left = $values;
    }

    public function text(string $key, string $default): string
    {
        return $this->optionalText($key) ?? $default;
    }

    public function optionalText(string $key): ?string
    {
        $value = $this->take($key);
        if ($value === null || is_string($value)) {
            return $value;
        }

        throw $this->wrong($key, 'a text', $value);
    }

    /**
     * @param non-empty-list<string> $choices
     * @param null|string $default null: the first choice
     */
    public function choice(string $key, array $choices, ?string $default = null): string
    {
        $value = $this->take($key) ?? $default ?? $choices[0];
        if (is_string($value) && in_array($value, $choices, true)) {
            return $value;
        }

        throw $this->wrong($key, 'one of ' . implode(', ', $choices), $value);
    }

    public function flag(string $key, bool $default): bool
    {
        $value = $this->take($key) ?? $default;

        return match ($value) {
            true, 1, '1' => true,
            false, 0, '0' => false,
            default => throw $this->wrong($key, 'true or false', $value),
        };
    }

    public function integer(string $key, int $min, int $max, int $default): int
    {
        return $this->optionalInteger($key, $min, $max) ?? $default;
    }

    public function optionalInteger(string $key, int $min, int $max): ?int
    {
        $value = $this->take($key);
        if ($value === null) {
            return null;
        }
        $number = is_string($value) ? filter_var($value, FILTER_VALIDATE_INT) : $value;
        if (is_int($number) && $number >= $min && $number <= $max) {
            return $number;
        }

        throw $this->wrong($key, "a whole number from {$min} to {$max}", $value);
    }

    /**
     * @return float above 0 and at most a day
     */
    public function seconds(string $key, float $default): float
    {
        $value = $this->take($key) ?? $default;

        return self::asSeconds($value) ?: throw $this->wrong($key, 'a number of seconds above 0 and at most 86400', $value);
    }

    /**
     * @return float at most a day; 0, the default: never
     */
    public function secondsOrNever(string $key): float
    {
        $value = $this->take($key) ?? 0.0;

        return self::asSeconds($value) ?? throw $this->wrong($key, 'a number of seconds up to 86400, or 0', $value);
    }

    /**
     * @param bool $several whether it may be a list, or a text with commas
     * @return non-empty-list<string>
     */
    public function oneOrMore(string $key, string $default, bool $several): array
    {
        $value = $this->take($key) ?? $default;
        if ($several && is_string($value)) {
            $value = explode(',', $value);
        }
        $texts = [];
        foreach ($several && is_array($value) ? $value : [$value] as $text) {
            if (! is_string($text) || trim($text) === '') {
                $texts = [];
                break;
            }
            $texts[] = trim($text);
        }

        return $texts ?: throw $this->wrong($key, $several ? 'a text that is not empty, or a list of such' : 'a text that is not empty', $value);
    }

    /**
     * @return array<string, string>
     */
    public function texts(string $key): array
    {
        $texts = [];
        $value = $this->take($key) ?? [];
        foreach (is_array($value) ? $value : [null] as $name => $text) {
            if (! is_string($name) || ! is_string($text) && ! is_int($text) && ! is_float($text)) {
                throw $this->wrong($key, 'a map of texts', $value);
            }
            $texts[$name] = (string) $text;
        }

        return $texts;
    }

    /**
     * @return list<string>
     */
    public function list(string $key): array
    {
        $value = $this->take($key) ?? [];

        return is_array($value) && $value === array_filter($value, is_string(...)) ? array_values($value) : throw $this->wrong($key, 'a list of texts', $value);
    }

    public function section(string $key): self
    {
        $value = $this->take($key) ?? [];

        return $this->sections[] = is_array($value) ? new self("{$this->path}.{$key}", $value) : throw $this->wrong($key, 'an array', $value);
    }

    /**
     * Everything has been read, here and in the sections below.
     *
     * @throws InvalidConfiguration when there are keys that nobody has asked for
     */
    public function end(): void
    {
        $known = $this->known();
        foreach ([$this, ...$this->sections] as $section) {
            $key = array_key_first($section->left);
            if ($key !== null) {
                $near = self::nearest("{$section->path}.{$key}", $known);

                throw new InvalidConfiguration("The key {$section->path}.{$key} in config/autoload/gotask.php is unknown" . ($near === null ? '.' : ": did you mean {$near}?"));
            }
        }
    }

    public function invalid(string $key, string $problem, ?Throwable $cause = null): InvalidConfiguration
    {
        $detail = $cause === null ? '' : ": {$cause->getMessage()}";

        return new InvalidConfiguration("{$this->path}.{$key} in config/autoload/gotask.php {$problem}{$detail}.", 0, $cause);
    }

    private static function asSeconds(mixed $value): ?float
    {
        $number = is_string($value) && is_numeric($value) ? (float) $value : $value;

        return (is_int($number) || is_float($number)) && $number >= 0 && $number <= 86_400 ? (float) $number : null;
    }

    /**
     * @return list<string> with their paths
     */
    private function known(): array
    {
        $known = array_map(fn (string $key): string => "{$this->path}.{$key}", $this->known);

        return array_merge($known, ...array_map(static fn (self $section): array => $section->known(), $this->sections));
    }

    /**
     * The known key that has the same name elsewhere, or whose name differs in at most a third of its characters.
     *
     * @param list<string> $known
     */
    private static function nearest(string $path, array $known): ?string
    {
        $name = static fn (string $path): string => strtolower(substr((string) strrchr($path, '.'), 1));
        $distances = [];
        foreach ($known as $key) {
            $distance = levenshtein($name($path), $name($key));
            if ($distance <= max(1, intdiv(strlen($name($key)), 3))) {
                // Among equals the one of the same section.
                $distances[$key] = [$distance, levenshtein($path, $key)];
            }
        }
        asort($distances);

        return array_key_first($distances);
    }

    private function take(string $key): mixed
    {
        $value = $this->left[$key] ?? null;
        unset($this->left[$key]);
        $this->known[] = $key;

        return $value === '' ? null : $value;
    }

    private function wrong(string $key, string $wanted, mixed $value): InvalidConfiguration
    {
        $given = is_scalar($value) ? var_export($value, true) : get_debug_type($value);

        return new InvalidConfiguration("{$this->path}.{$key} in config/autoload/gotask.php must be {$wanted}, not {$given}.");
    }
}
