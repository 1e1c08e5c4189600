<?php

declare(strict_types=1);

use App\Bench\BenchController;
use Hyperf\HttpServer\Router\Router;

foreach (['bare' => 'bare', 'task' => 'task', 'gotask' => 'gotask', 'gotask-1' => 'gotask1', 'gotask-2' => 'gotask2', 'gotask-4' => 'gotask4', 'go' => 'go'] as $path => $method) {
    Router::get("/{$path}", [BenchController::class, $method]);
}
