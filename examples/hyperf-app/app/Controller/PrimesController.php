<?php

declare(strict_types=1);

namespace App\Controller;

use Hyperf\HttpMessage\Exception\BadRequestHttpException;
use Hyperf\HttpServer\Annotation\Controller;
use Hyperf\HttpServer\Annotation\GetMapping;
use Hyperf\HttpServer\Contract\RequestInterface;
use Reasno\GoTask\Args;
use Reasno\GoTask\GoTask;

use function array_sum;
use function intdiv;
use function is_int;

/**
 * Work that takes a processor. The range is cut into pieces, which all Python processes work on at once; meanwhile this process
 * serves other requests.
 */
#[Controller]
class PrimesController
{
    private const PIECES = 8;

    private const LIMIT = 2_000_000;

    public function __construct(private readonly GoTask $task)
    {
    }

    /**
     * @return array{below: int, primes: float|int}
     */
    #[GetMapping(path: '/primes')]
    public function count(RequestInterface $request): array
    {
        $below = filter_var($request->query('below', 100_000), FILTER_VALIDATE_INT, ['options' => ['min_range' => 0, 'max_range' => self::LIMIT]]);
        if ($below === false) {
            throw new BadRequestHttpException('below must be a whole number from 0 to ' . self::LIMIT . '.');
        }
        $calls = [];
        for ($piece = 0; $piece < self::PIECES; $piece++) {
            $calls[] = ['primes', new Args(intdiv($below * $piece, self::PIECES), intdiv($below * ($piece + 1), self::PIECES))];
        }

        return ['below' => $below, 'primes' => array_sum(array_filter($this->task->parallel($calls), is_int(...)))];
    }
}
