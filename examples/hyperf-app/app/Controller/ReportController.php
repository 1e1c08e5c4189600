<?php

declare(strict_types=1);

namespace App\Controller;

use Hyperf\HttpMessage\Exception\BadRequestHttpException;
use Hyperf\HttpServer\Annotation\Controller;
use Hyperf\HttpServer\Annotation\GetMapping;
use Hyperf\HttpServer\Contract\RequestInterface;
use Reasno\GoTask\GoTask;

/**
 * What PHP has no library for.
 */
#[Controller]
class ReportController
{
    public function __construct(private readonly GoTask $task)
    {
    }

    #[GetMapping(path: '/report')]
    public function year(RequestInterface $request): mixed
    {
        $year = filter_var($request->query('year', 2026), FILTER_VALIDATE_INT, ['options' => ['min_range' => 2000, 'max_range' => 2100]]);
        if ($year === false) {
            throw new BadRequestHttpException('year must be a whole number from 2000 to 2100.');
        }

        return $this->task->call('Sales.Year', $year, timeout: 10.0);
    }
}
